import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlanet.geometry import (
    FRONTAL_6D,
    REFERENCE_DISTANCE_MM,
    Camera,
    Pose,
    decode_pose,
    decode_translation,
    encode_translation,
    landmarks_in_pixels,
    matrix_from_euler,
)

coordinates = st.floats(-500, 500)


def head_points(count=40, seed=0):
    return np.random.default_rng(seed).uniform(-100, 100, (count, 3))


def some_pose():
    rotation = matrix_from_euler(np.radians([10.0, -25.0, 5.0]))
    return Pose(rotation, np.array([40.0, -30.0, 900.0]))


def test_zero_translation_is_a_metre_in_front_of_the_crop_s_camera():
    pose = decode_pose(np.array(FRONTAL_6D), np.zeros(3))
    np.testing.assert_allclose(pose.rotation, np.diag([1, -1, -1]))
    np.testing.assert_allclose(pose.translation, [0, 0, REFERENCE_DISTANCE_MM])
    np.testing.assert_allclose(pose.euler_deg, 0, atol=1e-9)
    assert REFERENCE_DISTANCE_MM == 1000


def test_zero_euler_angles_are_frontal():
    pose = decode_pose(np.zeros((2, 3)), np.zeros((2, 3)), "euler")
    np.testing.assert_allclose(pose.rotation, np.broadcast_to(np.diag([1, -1, -1]), (2, 3, 3)))
    angles = np.radians([[10.0, 20.0, 30.0]])
    np.testing.assert_allclose(
        decode_pose(angles, np.zeros((1, 3)), "euler").euler_deg, [[10.0, 20.0, 30.0]]
    )


@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(-1, 1), st.sampled_from([128, 224]))
def test_translation_says_where_the_origin_appears_and_how_far_it_is(x, y, nearness, size):
    pose = decode_pose(np.array(FRONTAL_6D), np.array([x, y, nearness]))
    origin = Camera.of_crop(size).project(pose.apply(np.zeros((1, 3))))[0]
    np.testing.assert_allclose(origin[:2], [(0.5 + x) * size, (0.5 + y) * size], atol=1e-9)
    assert origin[2] == pytest.approx(1000 * math.exp(-nearness))


def test_the_crop_s_camera_is_that_of_deng_et_al():
    camera = Camera.of_crop(224)
    assert camera.focal_length_px == pytest.approx(1015)
    assert camera.principal_point_px == (112, 112)


def test_projection_is_the_matrix_of_the_intrinsics():
    points = head_points() + np.array([0, 0, 800])
    camera = Camera(700.0, (320.0, 200.0))
    homogeneous = points @ camera.matrix.T
    found = camera.project(points)
    np.testing.assert_allclose(found[:, :2], homogeneous[:, :2] / homogeneous[:, 2:])
    np.testing.assert_array_equal(found[:, 2], points[:, 2])


def test_a_pose_is_a_rigid_motion():
    points, pose = head_points(), some_pose()
    moved = pose.apply(points)
    slow = np.array([pose.rotation @ point + pose.translation for point in points])
    np.testing.assert_allclose(moved, slow)
    batch = Pose(np.stack([pose.rotation] * 2), np.stack([pose.translation, np.zeros(3)]))
    np.testing.assert_allclose(batch.apply(np.stack([points] * 2))[0], moved)


@given(coordinates, coordinates, st.floats(20, 2000), st.sampled_from([112, 128, 224]))
def test_crop_and_image_cameras_agree(left, top, side, size):
    scale = size / side
    crop_from_image = np.array([[scale, 0.0, -left * scale], [0.0, scale, -top * scale]])
    in_camera = some_pose().apply(head_points())
    crop_camera = Camera.of_crop(size)
    in_crop = crop_camera.project(in_camera)
    in_image = crop_camera.before(crop_from_image).project(in_camera)
    again = in_image[:, :2] @ crop_from_image[:, :2].T + crop_from_image[:, 2]
    np.testing.assert_allclose(again, in_crop[:, :2], atol=1e-6 * max(1.0, scale))
    np.testing.assert_array_equal(in_image[:, 2], in_crop[:, 2])
    whole = np.vstack([crop_from_image, [0, 0, 1]])
    expected = np.linalg.inv(whole) @ crop_camera.matrix
    np.testing.assert_allclose(crop_camera.before(crop_from_image).matrix, expected, atol=1e-6)


def test_landmarks_in_pixels_have_depth_in_the_picture_s_scale():
    pose = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1000.0]))
    camera = Camera(500.0, (0.0, 0.0))
    points = np.array([[0.0, 0, 0], [0, 0, 100.0], [0, 0, -50.0], [100.0, 0, 0], [0, 100.0, 0]])
    found = landmarks_in_pixels(camera, pose, points)
    np.testing.assert_allclose(found[:, 2], [0, 50, -25, 0, 0])  # 500 px / 1000 mm
    np.testing.assert_allclose(found[3], [50, 0, 0])
    np.testing.assert_allclose(found[4], [0, -50, 0])
    np.testing.assert_allclose(found[:, :2], camera.project(pose.apply(points))[:, :2])


def test_depth_in_pixels_scales_with_the_picture():
    points, pose = head_points(), some_pose()
    small = landmarks_in_pixels(Camera.of_crop(100), pose, points)
    large = landmarks_in_pixels(Camera.of_crop(300), pose, points)
    np.testing.assert_allclose(large, 3 * small)


def test_torch_gives_the_same_numbers(torch):
    rng = np.random.default_rng(4)
    six, shift = rng.normal(size=(3, 6)), rng.normal(size=(3, 3)) * 0.2
    points = rng.uniform(-100, 100, (3, 7, 3))
    camera = Camera.of_crop(128)
    expected = landmarks_in_pixels(camera, decode_pose(six, shift), points)
    pose = decode_pose(torch.from_numpy(six), torch.from_numpy(shift))
    found = landmarks_in_pixels(camera, pose, torch.from_numpy(points))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)
    np.testing.assert_allclose(pose.euler_deg.numpy(), decode_pose(six, shift).euler_deg)


@pytest.mark.parametrize(("kind", "count"), [("6d", 6), ("euler", 3)])
def test_gradients(kind, count, torch):
    rng = np.random.default_rng(5)
    rotation = torch.from_numpy(rng.normal(size=(2, count)) * 0.7).requires_grad_()
    translation = torch.from_numpy(rng.normal(size=(2, 3)) * 0.2).requires_grad_()
    points = torch.from_numpy(rng.uniform(-100, 100, (2, 4, 3))).requires_grad_()

    def project(r, t, p):
        return landmarks_in_pixels(Camera.of_crop(100), decode_pose(r, t, kind), p)

    assert torch.autograd.gradcheck(project, (rotation, translation, points))


def test_translations_are_encoded_as_they_are_decoded():
    place = np.array([[30.0, -20.0, 800.0], [0.0, 5.0, 1500.0]])
    assert np.allclose(decode_translation(encode_translation(place)), place)
