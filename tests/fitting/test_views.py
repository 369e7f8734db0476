"""Both views against the geometry they stand for, and their derivatives against differences."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mlanet.fitting import CropView, OrthographicView
from mlanet.geometry import (
    Camera,
    decode_pose,
    landmarks_in_pixels,
    matrix_from_euler,
    six_d_from_matrix,
)

VIEWS = [OrthographicView(), CropView(120.0)]


@pytest.fixture
def scene():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(2, 9, 3)) * 60.0
    rotation = matrix_from_euler(np.array([[0.2, 0.5, -0.1], [-0.3, -0.9, 0.4]]))
    return rotation, points


def place_of(view, scene):
    return view.place(np.array([0.6, 0.8]), np.array([[0.4, 0.55], [0.5, 0.6]]) * view.unit_px)


@pytest.mark.parametrize("view", VIEWS, ids=lambda v: type(v).__name__)
def test_derivatives(view, scene):
    rotation, points = scene
    place = place_of(view, scene) / np.array([view.unit_px, view.unit_px, 1, 1])
    here = view.project(rotation, place, points)
    step = 1e-5
    for k in range(3):
        moved = points + step * np.eye(3)[k]
        slope = (view.project(rotation, place, moved).image - here.image) / step
        np.testing.assert_allclose(here.by_point[..., k], slope, rtol=1e-3, atol=1e-5)
        turn = Rotation.from_rotvec(step * np.eye(3)[k]).as_matrix()
        slope = (view.project(turn @ rotation, place, points).image - here.image) / step
        np.testing.assert_allclose(here.by_pose[..., k], slope, rtol=1e-2, atol=2e-3)
    for k in range(4):
        moved = place + step * np.eye(4)[k]
        slope = (view.project(rotation, moved, points).image - here.image) / step
        np.testing.assert_allclose(here.by_pose[..., 3 + k], slope, rtol=1e-2, atol=2e-3)


def test_the_crops_view_is_the_networks_camera(scene):
    rotation, points = scene
    size = 128
    place = np.array([[0.05, -0.1, 0.2, 0.0], [0.0, 0.1, -0.4, 0.0]])
    pose = decode_pose(six_d_from_matrix(rotation), place[:, :3])
    expected = landmarks_in_pixels(Camera.of_crop(size), pose, points)
    found = CropView(float(size)).project(rotation, place, points).image * size
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_scaled_orthographic(scene):
    rotation, points = scene
    place = OrthographicView().place(np.array([0.5, 2.0]), np.array([[10.0, 20.0], [3.0, 4.0]]))
    image = OrthographicView().project(rotation, place, points).image
    turned = points @ rotation.transpose(0, 2, 1) * np.array([0.5, 2.0])[:, None, None]
    np.testing.assert_allclose(image[..., :2], turned[..., :2] + [[[10, 20]], [[3, 4]]])
    np.testing.assert_allclose(image[..., 2], -turned[..., 2])
