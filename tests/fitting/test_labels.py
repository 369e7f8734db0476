from dataclasses import replace

import numpy as np
import pytest

from mlanet.fitting import labels as module
from mlanet.fitting.labels import (
    CONTOUR_WEIGHT,
    LABEL_CROP_PX,
    Labels,
    config_for,
    constant_rotation,
    label_faces,
    with_given_rotation,
)
from mlanet.fitting.landmarks import FittingConfig
from mlanet.geometry import (
    Camera,
    angle_between,
    decode_pose,
    landmarks_in_pixels,
    matrix_from_6d,
    matrix_from_euler,
)
from mlanet.geometry.camera import Pose
from mlanet.image.crop import square_transform
from mlanet.morphable import load_model

MODEL = load_model()


def faces():
    """Landmarks of random heads in pictures of 400 pixels."""
    rng = np.random.default_rng(0)
    identity = 0.5 * rng.standard_normal((4, MODEL.layout.identity))
    expression = 0.1 * rng.random((4, MODEL.layout.expression))
    angles = rng.uniform(-0.4, 0.4, (4, 3))
    pose = Pose(matrix_from_euler(angles), np.array([[5.0, -8.0, 900.0]] * 4))
    return landmarks_in_pixels(Camera.of_crop(400), pose, MODEL.landmarks(identity, expression))


def test_coefficients_show_the_landmarks_in_the_crops_camera():
    points = faces()
    labels = label_faces(MODEL, points)
    assert labels.accepted.all()
    assert labels.residual_percent.max() < 0.5
    pose = decode_pose(labels.rotation, labels.translation)
    shape = MODEL.landmarks(labels.identity, labels.expression)
    shown = landmarks_in_pixels(Camera.of_crop(LABEL_CROP_PX), pose, shape)
    for k, box in enumerate(labels.box_px):
        transform = square_transform(box, LABEL_CROP_PX)
        wanted = points[k, :, :2] @ transform[:, :2].T + transform[:, 2]
        assert np.linalg.norm(shown[k, :, :2] - wanted, axis=1).mean() < 0.6


def test_bad_faces_are_rejected_and_the_others_kept():
    points = faces()
    points[0, 3] = np.nan
    points[1] = 7.0
    points[2, :, :2] = np.random.default_rng(1).uniform(0, 400, (68, 2))
    labels = label_faces(MODEL, points)
    assert labels.accepted.tolist() == [False, False, False, True]
    assert np.isinf(labels.residual_percent[:2]).all()


def test_fits_that_are_not_finite_are_rejected(monkeypatch):
    fit = module.fit_landmarks

    def failing(*args):
        found = fit(*args)
        found.identity[1, 3] = np.nan
        found.place[2, 0] = np.inf
        return found

    monkeypatch.setattr(module, "fit_landmarks", failing)
    labels = label_faces(MODEL, faces())
    assert labels.accepted.tolist() == [True, False, False, True]
    assert np.isinf(labels.residual_percent).tolist() == [False, True, True, False]
    for name in ("box_px", "identity", "expression", "rotation", "translation"):
        assert np.isfinite(getattr(labels, name)).all()
        assert not getattr(labels, name)[1:3].any()


def test_faces_of_any_size_are_never_fatal():
    scales = np.array([1e-200, 1e200, 1e305, 1.0])
    points = np.concatenate([faces()[:3], faces()[3:]]) * scales[:, None, None]
    points = np.concatenate([points, faces()[:1] * 1e-9 + 1e9])  # no extent is left in a crop
    labels = label_faces(MODEL, points)
    assert labels.accepted[3]
    assert all(np.isfinite(getattr(labels, name)).all() for name in ("box_px", "identity"))


def test_a_jaw_of_the_contour_does_not_pull_the_face():
    """The points of one cheek lie elsewhere, as a contour's do; the others tell the truth."""
    truth, points = faces()[..., :2], faces()[..., :2]
    points[:, :8, 0] += 0.1 * np.ptp(truth[..., 0], axis=1)[:, None]
    errors = []
    for weight in (1.0, CONTOUR_WEIGHT):
        labels = label_faces(MODEL, points, jaw_weight=weight)
        pose = decode_pose(labels.rotation, labels.translation)
        shape = MODEL.landmarks(labels.identity, labels.expression)
        shown = landmarks_in_pixels(Camera.of_crop(LABEL_CROP_PX), pose, shape)[..., :2]
        scale = LABEL_CROP_PX / np.diff(labels.box_px[:, ::2], axis=1)[:, 0]
        wanted = (truth - labels.box_px[:, None, :2]) * scale[:, None, None]
        errors.append(np.linalg.norm(shown - wanted, axis=2)[:, 17:].mean())
    assert errors[1] < 0.8 * errors[0]
    with pytest.raises(ValueError, match="jaw_weight"):
        label_faces(MODEL, points, jaw_weight=-1.0)


def test_two_columns_are_enough():
    labels = label_faces(MODEL, faces()[..., :2])
    assert labels.accepted.all()


def test_parts_are_joined_in_order():
    whole = label_faces(MODEL, faces())
    parts = [label_faces(MODEL, faces()[k : k + 2]) for k in (0, 2)]
    np.testing.assert_allclose(Labels.concatenate(parts).box_px, whole.box_px)


def test_the_prior_follows_the_kind_of_expressions():
    assert config_for(MODEL) == FittingConfig()
    other = config_for(replace(MODEL, expression_bounded=False))
    low, high = other.expression_bounds
    assert low == -high < 0
    assert other.expression_sd == other.identity_sd
    free = label_faces(replace(MODEL, expression_bounded=False), faces())
    assert free.expression.min() < 0
    assert free.accepted.all()
    assert label_faces(MODEL, faces()).expression.min() >= 0


def test_rotations_of_another_model_are_taken_over_but_for_a_constant():
    labels = label_faces(MODEL, faces())
    fitted = matrix_from_6d(labels.rotation.astype(np.float64))
    constant = matrix_from_euler(np.radians([3.0, -2.0, 1.0]))
    nods = matrix_from_euler(np.radians([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]] * 2))
    away = matrix_from_euler(np.zeros(3))
    theirs = fitted @ (away.T @ nods) @ constant.T
    found = with_given_rotation(labels, theirs)
    angles = np.degrees(angle_between(matrix_from_6d(found.rotation.astype(np.float64)), fitted))
    np.testing.assert_allclose(angles, 1.0, atol=0.2)
    np.testing.assert_array_equal(found.identity, labels.identity)


def test_a_rotation_that_is_wrong_does_not_turn_the_others():
    rng = np.random.default_rng(0)
    first = matrix_from_euler(rng.uniform(-0.5, 0.5, (40, 3)))
    constant = matrix_from_euler(np.radians([0.0, 5.0, 0.0]))
    second = first @ constant
    second[:3] = matrix_from_euler(rng.uniform(-3.0, 3.0, (3, 3)))
    np.testing.assert_allclose(constant_rotation(first, second), constant, atol=1e-9)
    np.testing.assert_array_equal(constant_rotation(first[:0], second[:0]), np.eye(3))


def test_rejected_faces_keep_no_rotation():
    labels = label_faces(MODEL, faces())
    rejected = replace(labels, accepted=np.array([True, False, True, True]))
    given = np.broadcast_to(matrix_from_euler(np.zeros(3)), (4, 3, 3))
    found = with_given_rotation(rejected, given)
    np.testing.assert_array_equal(found.rotation[1], labels.rotation[1])
