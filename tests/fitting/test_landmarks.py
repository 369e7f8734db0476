"""Known faces are found again; bounds, weights and wrong input."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import ConfigurationError
from mlanet.fitting import (
    CropView,
    ExpressionPrior,
    FittingConfig,
    OrthographicView,
    RotationPrior,
    fit_landmarks,
)
from mlanet.geometry import angle_between, matrix_from_euler
from mlanet.morphable import load_model

PRECISE = FittingConfig(noise=1e-4, steps=15)


@pytest.fixture(scope="module")
def model():
    return load_model()


def faces(model, view, count=6, seed=0):
    """Rotations, places and labels of random faces in view, up to 60 degrees of yaw."""
    rng = np.random.default_rng(seed)
    layout = model.layout
    identity = np.clip(rng.normal(size=(count, layout.identity)), -2.5, 2.5)
    expression = rng.uniform(size=(count, layout.expression)) ** 4
    rotation = matrix_from_euler(rng.uniform(-1, 1, size=(count, 3)) * [0.4, 1.0, 0.4])
    scale, shift = np.full(count, 0.5), np.full((count, 2), 60.0)
    place = view.place(scale / view.unit_px, shift / view.unit_px)
    points = model.landmarks(identity, expression)
    return rotation, place, view.project(rotation, place, points).image * view.unit_px


@pytest.mark.parametrize(
    "view", [OrthographicView(), CropView(120.0)], ids=lambda v: type(v).__name__
)
@pytest.mark.parametrize("columns", [2, 3])
def test_landmarks_of_known_faces_are_met(model, view, columns):
    rotation, _, labels = faces(model, view)
    fit = fit_landmarks(model.landmarks, view, labels[..., :columns], config=PRECISE)
    assert np.abs(fit.landmarks_px - labels)[..., :columns].max() < 0.1
    limit = 3.0 if columns == 3 else 15.0  # without depth, pose and shape share the blame
    assert np.degrees(angle_between(fit.rotation, rotation)).max() < limit


def test_coefficients_stay_within_bounds(model):
    labels = faces(model, OrthographicView())[2] * [1.3, 1.0, 1.0]
    fit = fit_landmarks(model.landmarks, OrthographicView(), labels[..., :2], config=PRECISE)
    assert np.abs(fit.identity).max() <= 3.0
    assert fit.expression.min() >= 0.0
    assert fit.expression.max() <= 1.0


def test_points_without_weight_do_not_count(model):
    labels = faces(model, OrthographicView())[2][..., :2]
    weight = np.ones(labels.shape[:2])
    weight[:, :17] = 0.0
    expected = fit_landmarks(model.landmarks, OrthographicView(), labels, weight)
    spoilt = labels.copy()
    spoilt[:, :17] = 999.0
    found = fit_landmarks(model.landmarks, OrthographicView(), spoilt, weight)
    np.testing.assert_array_equal(found.identity, expected.identity)


def test_a_subset_of_points_fits_like_weights_of_zero(model):
    labels = faces(model, OrthographicView())[2][..., :2]
    inner = np.arange(17, 68)
    weight = np.ones(labels.shape[:2])
    weight[:, :17] = 0.0
    whole = fit_landmarks(model.landmarks, OrthographicView(), labels, weight)
    part = fit_landmarks(model.landmarks.only(inner), OrthographicView(), labels[:, inner])
    np.testing.assert_allclose(part.landmarks_px, whole.landmarks_px[:, inner], atol=1e-3)


def test_faces_do_not_depend_on_their_batch(model):
    labels = faces(model, OrthographicView(), count=50)[2][..., :2]
    together = fit_landmarks(model.landmarks, OrthographicView(), labels)
    alone = fit_landmarks(model.landmarks, OrthographicView(), labels[49:])
    np.testing.assert_allclose(together.identity[49:], alone.identity, atol=1e-6)


def test_a_stronger_prior_stays_nearer_the_mean(model):
    labels = faces(model, OrthographicView())[2][..., :2]
    sizes = [
        np.abs(fit_landmarks(model.landmarks, OrthographicView(), labels, config=c).identity).mean()
        for c in (FittingConfig(noise=0.003), FittingConfig(noise=0.03))
    ]
    assert sizes[1] < 0.7 * sizes[0]


def test_mirrored_labels_give_the_mirrored_person(model):
    mirrored = [
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
        *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
    ]  # fmt: skip
    labels = faces(model, OrthographicView())[2][..., :2]
    other = (labels * [-1, 1])[:, mirrored]
    config = replace(PRECISE, noise=0.005)
    first = fit_landmarks(model.landmarks, OrthographicView(), labels, config=config)
    second = fit_landmarks(model.landmarks, OrthographicView(), other, config=config)
    apart = first.identity - second.identity * model.identity_mirror
    assert np.abs(apart).mean() < 0.05


def test_nothing_to_fit(model):
    fit = fit_landmarks(model.landmarks, OrthographicView(), np.zeros((0, 68, 2)))
    assert fit.identity.shape == (0, model.layout.identity)
    assert fit.landmarks_px.shape == (0, 68, 3)


@pytest.mark.parametrize(
    ("labels", "weight", "message"),
    [
        (np.zeros((1, 5, 2)), None, r"expected \(b, 68, 2 or 3\)"),
        (np.zeros((1, 68, 2)), np.ones((1, 5)), "weight must be"),
        (np.full((1, 68, 2), np.nan), None, "weight of 0"),
        (np.zeros((1, 68, 2)), np.full((1, 68), np.nan), "finite"),
        (np.zeros((1, 68, 2)), -np.ones((1, 68)), "not negative"),
        (np.zeros((1, 68, 2)), np.zeros((1, 68)), "four points"),
        (np.zeros((1, 68, 2)), None, "extent"),
    ],
)
def test_wrong_input(model, labels, weight, message):
    with pytest.raises(ValueError, match=message):
        fit_landmarks(model.landmarks, OrthographicView(), labels, weight)


def test_hidden_points_may_be_any_number(model):
    labels = faces(model, OrthographicView())[2][:1]
    weight = np.ones((1, 68))
    weight[0, 5:12] = 0.0
    expected = fit_landmarks(model.landmarks, OrthographicView(), labels, weight, PRECISE)
    for value in (np.nan, np.inf, -1e9):
        hidden = np.where(weight[..., None] > 0, labels, value)
        found = fit_landmarks(model.landmarks, OrthographicView(), hidden, weight, PRECISE)
        np.testing.assert_array_equal(found.identity, expected.identity)
        np.testing.assert_array_equal(found.landmarks_px, expected.landmarks_px)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"noise": 0.0}, "noise must be positive, got 0.0"),
        ({"steps": 0}, "steps must be positive"),
        ({"identity_sd": float("nan")}, "identity_sd must be positive"),
        ({"depth_weight": -1.0}, "depth_weight must not be negative"),
        ({"expression_bounds": (1.0, 0.0)}, "expression_bounds must be in order"),
    ],
)
def test_impossible_settings_are_named(change, message):
    with pytest.raises(ConfigurationError, match=message):
        FittingConfig(**change)


def test_a_sure_prior_of_expressions_wins_over_landmarks_that_say_nothing(model):
    labels = faces(model, CropView(120.0))[2][..., :2]
    known = np.random.default_rng(1).uniform(0.1, 0.9, size=(len(labels), model.layout.expression))
    prior = ExpressionPrior(known, np.full_like(known, 1e-4))
    vague = FittingConfig(noise=1.0)
    fit = fit_landmarks(model.landmarks, CropView(120.0), labels, None, vague, prior)
    np.testing.assert_allclose(fit.expression, known, atol=1e-3)


def test_a_vague_prior_of_expressions_leaves_them_to_the_landmarks(model):
    view = OrthographicView()
    labels = faces(model, view)[2]
    wrong = ExpressionPrior(*(np.full((len(labels), model.layout.expression), 0.5),) * 2)
    fit = fit_landmarks(model.landmarks, view, labels, None, PRECISE, wrong)
    assert np.abs(fit.landmarks_px - labels).max() < 0.1


def test_the_configuration_is_the_prior_where_no_other_is_given(model):
    view, config = CropView(120.0), FittingConfig(expression_sd=0.2)
    labels = faces(model, view, count=50)[2][..., :2]
    mean = np.zeros((len(labels), model.layout.expression))
    prior = ExpressionPrior(mean, np.full_like(mean, 0.2))
    plain = fit_landmarks(model.landmarks, view, labels, None, config)
    same = fit_landmarks(model.landmarks, view, labels, None, config, prior)
    for name in ("identity", "expression", "rotation", "place", "landmarks_px"):
        np.testing.assert_array_equal(getattr(same, name), getattr(plain, name))


@pytest.mark.parametrize(
    ("mean", "sd", "message"),
    [
        (np.zeros((2, 52)), np.ones((6, 52)), r"must be \(6, 52\), got \(2, 52\)"),
        (np.zeros((6, 52)), np.ones((6, 3)), r"must be \(6, 52\), got \(6, 3\)"),
        (np.full((6, 52), np.nan), np.ones((6, 52)), "finite"),
        (np.zeros((6, 52)), np.zeros((6, 52)), "positive"),
    ],
)
def test_a_wrong_prior_of_expressions_is_refused(model, mean, sd, message):
    view = OrthographicView()
    labels = faces(model, view)[2]
    with pytest.raises(ValueError, match=message):
        fit_landmarks(model.landmarks, view, labels, expression_prior=ExpressionPrior(mean, sd))


def test_a_known_rotation_is_kept_as_far_as_it_is_trusted(model):
    view = CropView(120.0)
    rotation, _, labels = faces(model, view)
    config = FittingConfig(noise=0.01)
    turned = rotation @ matrix_from_euler(np.radians([4.0, 0.0, 0.0]))

    def apart(sd_deg):
        prior = RotationPrior(turned, float(np.radians(sd_deg)))
        fit = fit_landmarks(model.landmarks, view, labels[..., :2], None, config, None, prior)
        assert np.abs(fit.landmarks_px - labels)[..., :2].mean() < 1.0
        return np.degrees(angle_between(fit.rotation, turned)).max()

    assert apart(0.01) < 0.05
    free = fit_landmarks(model.landmarks, view, labels[..., :2], config=config)
    assert apart(0.01) < apart(2.0) < np.degrees(angle_between(free.rotation, turned)).max() + 1.0


def test_what_is_no_prior_of_rotations_is_refused(model):
    labels = faces(model, CropView(120.0))[2]
    for prior in (
        RotationPrior(np.eye(3)[None], 0.1),
        RotationPrior(np.zeros((len(labels), 3, 3)), 0.1),
        RotationPrior(np.tile(np.eye(3), (len(labels), 1, 1)), 0.0),
    ):
        with pytest.raises(ValueError, match="rotation_prior"):
            fit_landmarks(model.landmarks, CropView(120.0), labels, rotation_prior=prior)
