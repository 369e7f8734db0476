"""What labelled faces say of a face model, on a model of seventy-two vertices."""

from types import SimpleNamespace

import numpy as np
import pytest

from mlanet.fitting import OrthographicView, fit_landmarks
from mlanet.geometry import MIRRORED_LANDMARKS, matrix_from_euler

MODES = 4
SIGN = np.array([1.0, 1.0, 1.0, -1.0])
UPPER, LOWER = 68, 70


@pytest.fixture(scope="module")
def synthetic():
    """Landmark k is vertex k of a bowl; behind them two vertices of the upper lip, two of the
    lower. Modes are symmetric but for the last; the first parts the lips."""
    rng = np.random.default_rng(0)
    mean = np.zeros((72, 3))
    mean[:68, :2] = rng.uniform(10.0, 70.0, (68, 2)) * rng.choice([-1.0, 1.0], (68, 2))
    mean[:68] = (mean[:68] + mean[:68][MIRRORED_LANDMARKS] * [-1.0, 1.0, 1.0]) / 2.0
    mean[:68, 2] = 60.0 - (mean[:68, :2] ** 2).sum(axis=1) / 150.0
    mean[UPPER:] = [[-5.0, -30.0, 50.0], [5.0, -30.0, 50.0]] * 2
    identity = 3.0 * rng.normal(size=(72, 3, MODES))
    other = identity[:68][MIRRORED_LANDMARKS] * np.array([-1.0, 1.0, 1.0])[:, None]
    identity[:68] = (identity[:68] + SIGN * other) / np.sqrt(2.0)
    identity[UPPER:] = 0.0
    identity[UPPER:LOWER, 1, 0], identity[LOWER:, 1, 0] = 1.5, -1.5
    identity[UPPER:LOWER, 1, 1], identity[LOWER:, 1, 1] = 0.5, 0.5
    faces = np.column_stack([np.arange(68), np.full(68, 68), np.full(68, 71)])
    topology = SimpleNamespace(faces=faces, lip_pairs=np.array([[68, 70], [69, 71]]))
    return SimpleNamespace(
        topology=topology,
        mean=mean,
        identity=identity,
        identity_sign=SIGN,
        expression=np.zeros((72, 3, 1)),
    )


@pytest.fixture(scope="module")
def places():
    from face_model.surface import LandmarkPlaces

    return LandmarkPlaces(np.arange(68), np.tile([1.0, 0.0, 0.0], (68, 1)))


@pytest.fixture(scope="module")
def people():
    from face_model import people

    return people


def labels_of(people, points_mm, rng, angle=0.2):
    """Labelled pictures (two pixels a millimetre) of heads (n, 68, 3) at random angles."""
    rotation = matrix_from_euler(rng.uniform(-angle, angle, (len(points_mm), 3)))
    turned = points_mm @ np.swapaxes(rotation, 1, 2)
    turned = turned * [2.0, 2.0, -2.0] + [100.0, 100.0, 0.0]
    return people.Labels(turned, np.ones(turned.shape[:2]), rotation)


def heads(synthetic, coefficients):
    return synthetic.mean[:68] + np.einsum("vdk,bk->bvd", synthetic.identity[:68], coefficients)


def test_the_statistics_of_the_labelled_people_come_back(people, synthetic, places):
    """A mode that varies less than the prior says, and a mean that lies elsewhere."""
    rng = np.random.default_rng(1)
    spread, centre = np.array([0.3, 1.0, 0.6, 0.8]), np.array([0.5, -0.4, 0.0, 0.0])
    truth = centre + spread * rng.normal(size=(300, MODES))
    labels = labels_of(people, heads(synthetic, truth), rng)
    points = people.landmark_model(synthetic, places, np.zeros(MODES), np.eye(MODES))
    fit = fit_landmarks(points, OrthographicView(), labels.points, labels.weight, people.CONFIG)
    assert np.median(people.point_errors(labels, fit)) < 2e-3
    mean, covariance = people.moments(points, [(labels, fit)])
    np.testing.assert_allclose(mean, truth.mean(axis=0), atol=0.05)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), truth.std(axis=0), rtol=0.15)


def test_what_labels_do_not_show_keeps_the_priors_spread(people, synthetic, places):
    rng = np.random.default_rng(2)
    blind = SimpleNamespace(**vars(synthetic))
    blind.identity = synthetic.identity.copy()
    blind.identity[:68, :, 2] = 0.0
    labels = labels_of(people, heads(blind, 0.5 * rng.normal(size=(30, MODES))), rng)
    points = people.landmark_model(blind, places, np.zeros(MODES), np.eye(MODES))
    fit = fit_landmarks(points, OrthographicView(), labels.points, labels.weight, people.CONFIG)
    _, covariance = people.moments(points, [(labels, fit)])
    assert covariance[2, 2] == pytest.approx(1.0, abs=1e-6)
    assert (np.diag(covariance)[[0, 1, 3]] < 0.6).all()


def test_the_model_of_landmarks_is_whitened(people, synthetic, places):
    rng = np.random.default_rng(3)
    mean, factor = rng.normal(size=MODES), np.tril(rng.normal(size=(MODES, MODES)))
    points = people.landmark_model(synthetic, places, mean, factor)
    coefficients = rng.normal(size=MODES)
    expected = heads(synthetic, (mean + factor @ coefficients)[None])[0]
    np.testing.assert_allclose(points(coefficients, np.zeros(1)), expected, atol=1e-9)


def test_identity_does_not_part_the_lips(people, synthetic):
    mean, covariance = people.with_closed_lips(
        synthetic, np.array([1.0, 1.0, 1.0, 0.0]), np.eye(MODES)
    )
    assert abs(3.0 * mean[0]) < 0.01
    assert 9.0 * covariance[0, 0] < people.LIPS_APART_MM[1] ** 2
    np.testing.assert_allclose(mean[1:], [1.0, 1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(np.diag(covariance)[1:], 1.0, atol=1e-5)
    np.testing.assert_array_equal(covariance, covariance.T)


def test_landmarks_that_lie_elsewhere_are_found_in_the_heads_frame(people, synthetic, places):
    rng = np.random.default_rng(4)
    shift = np.zeros((68, 3))
    shift[30], shift[20], shift[62] = [0.0, 2.0, 1.0], [1.5, -1.0, 0.0], [0.5, 3.0, 3.0]
    truth = 0.3 * rng.normal(size=(200, MODES))
    labels = labels_of(people, heads(synthetic, truth) + shift, rng)
    points = people.landmark_model(synthetic, places, np.zeros(MODES), np.eye(MODES))
    fit = fit_landmarks(points, OrthographicView(), labels.points, labels.weight, people.CONFIG)
    found = people.landmark_offsets(labels, fit)
    np.testing.assert_allclose(found[[30, 20], :2], shift[[30, 20], :2], atol=0.4)
    assert (found[people.INNER_LIPS, 1:] == 0.0).all()
    assert np.abs(np.delete(found, [20, 30, 62], axis=0)[:, :2]).max() < 0.6


def test_the_mean_follows_what_landmarks_cannot_do(people, synthetic, places):
    """The lack is a step along two modes: the mean takes it, and stays symmetric."""
    step = np.array([0.0, 0.8, -0.6, 0.7])
    lack = np.einsum("vdk,k->vd", synthetic.identity[:68], step)
    mean = people.followed(synthetic, places, np.zeros(MODES), np.eye(MODES), lack)
    np.testing.assert_allclose(mean[1:3], step[1:3], atol=0.02)
    assert mean[3] == 0.0
    assert abs(mean[0]) < 0.02
    elsewhere = lack.copy()
    elsewhere[people.FOLLOWED] = 0.0
    still = people.followed(synthetic, places, np.zeros(MODES), np.eye(MODES), elsewhere)
    np.testing.assert_allclose(still, 0.0, atol=1e-9)


def test_even_positions_are_never_looked_at(people, tmp_path, monkeypatch):
    monkeypatch.setattr(people, "NUM_AFLW", 6)
    monkeypatch.setattr(people, "NUM_YTF", 3)
    numbered = np.arange(20.0)[:, None, None] * np.ones((1, 68, 3))
    for name, columns in (("aflw_train", 3), ("ytf68", 2)):
        (tmp_path / name).mkdir()
        arrays = {"pts68_px": numbered[..., :columns], "rotation": np.zeros((20, 3, 3))}
        np.savez(tmp_path / name / "labels.npz", **arrays)
    with_depth, without = people.read_labels(tmp_path)
    assert len(with_depth.points) == 6
    assert (with_depth.points[:, 0, 0] % 2 == 1).all()
    assert without.points.shape == (3, 68, 2)
    assert (without.weight[:, :17] == people.JAW_WEIGHT_2D).all()
    assert (without.weight[:, 17:] == 1.0).all()
