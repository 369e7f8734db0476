from dataclasses import replace

import numpy as np
import pytest

from mlanet.datasets import Sample
from mlanet.errors import DataError
from mlanet.geometry import Camera, decode_pose, landmarks_in_pixels
from mlanet.morphable import MorphableModel
from mlanet.synthesis import HeadsConfig, RenderedHeads, fit_face, turn_face

BARE = HeadsConfig(yaw_deg=15.0, hair=0.0, glasses=0.0, occluder=0.0, expression=0.0)


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


@pytest.fixture(scope="module")
def sample(model):
    return RenderedHeads(model, size=96, config=BARE, seed=1)[0]


@pytest.mark.parametrize("yaw", [-90.0, -40.0, 60.0, 90.0])
def test_landmarks_and_coefficients_follow_exactly(model, sample, yaw):
    face = fit_face(model, sample, 96)
    turned = turn_face(model, face, yaw)
    found = model.layout.split(turned.coefficients)
    pose = decode_pose(found.rotation, found.translation)
    points = model.landmarks(found.identity, found.expression)
    seen = landmarks_in_pixels(Camera.of_crop(96), pose, points)
    np.testing.assert_array_equal(seen.astype(np.float32), turned.landmarks_px)
    pitch, _, roll = np.degrees(face.angles_rad)
    np.testing.assert_allclose(turned.angles_deg, [pitch, yaw, roll], atol=1e-3)
    assert turned.image.shape == (96, 96, 3)


def test_a_face_that_is_not_turned_keeps_its_picture(model, sample):
    face = fit_face(model, sample, 96)
    same = turn_face(model, face, float(np.degrees(face.angles_rad[1])))
    border = (len(face.wide) - 96) // 2
    # The frame may differ by less than a pixel: the fit's landmarks are not quite the labels.
    change = face.wide[border:-border, border:-border].astype(int) - same.image
    assert np.abs(change).mean() < 8


def test_wrong_depth_that_counts_little_leaves_the_shape(model, sample):
    deep = replace(sample, landmarks_px=sample.landmarks_px * np.array([1.0, 1.0, 1.6]))
    right = fit_face(model, sample, 96)
    errors = [
        np.abs(fit_face(model, deep, 96, weight).identity - right.identity).mean()
        for weight in (0.0001, 1.0)
    ]
    assert errors[0] < 0.7 * errors[1]


def test_a_face_without_landmarks_is_an_error(model):
    blank = Sample("blank", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match="blank"):
        fit_face(model, blank, 32)
