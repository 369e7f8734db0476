import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from mlanet.geometry import (
    FRONTAL_6D,
    Camera,
    Pose,
    angle_between,
    euler_from_matrix,
    matrix_from_6d,
    matrix_from_euler,
    six_d_from_matrix,
    viewer_from_camera,
)

numbers = arrays(np.float64, (2, 6), elements=st.floats(-10, 10))
signed_angles = st.floats(-180, 180)
yaws = st.floats(-89, 89)


def well_posed(six):
    """Neither half is short, and they are not parallel."""
    first, second = six[..., :3], six[..., 3:]
    area = np.linalg.norm(np.cross(first, second), axis=-1)
    return bool((area > 0.01).all() and (np.linalg.norm(first, axis=-1) > 0.01).all())


def random_rotations(count, seed=0):
    return Rotation.random(count, random_state=seed).as_matrix()


@given(numbers)
def test_six_numbers_give_a_rotation(six):
    assume(well_posed(six))
    matrix = matrix_from_6d(six)
    eye = np.broadcast_to(np.eye(3), matrix.shape)
    np.testing.assert_allclose(matrix @ np.swapaxes(matrix, -1, -2), eye, atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0, atol=1e-6)
    again = matrix_from_6d(six_d_from_matrix(matrix))
    np.testing.assert_allclose(again, matrix, atol=1e-6)
    # The first column keeps the first half's direction, the second stays in the halves' plane.
    first = six[..., :3] / np.linalg.norm(six[..., :3], axis=-1, keepdims=True)
    np.testing.assert_allclose(matrix[..., 0], first, atol=1e-6)
    assert ((six[..., 3:] * matrix[..., 1]).sum(axis=-1) > 0).all()
    np.testing.assert_allclose((six[..., 3:] * matrix[..., 2]).sum(axis=-1), 0, atol=1e-5)


def test_rotations_survive_six_numbers():
    rotations = random_rotations(50)
    np.testing.assert_allclose(matrix_from_6d(six_d_from_matrix(rotations)), rotations, atol=1e-9)


def test_the_frontal_six_numbers():
    np.testing.assert_allclose(matrix_from_6d(np.array(FRONTAL_6D)), np.diag([1, -1, -1]))


def test_a_vector_without_direction_stays_finite():
    assert np.isfinite(matrix_from_6d(np.zeros(6))).all()


@given(signed_angles, yaws, signed_angles)
def test_euler_angles_survive_a_matrix(pitch, yaw, roll):
    matrix = matrix_from_euler(np.radians([pitch, yaw, roll]))
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1.0)
    np.testing.assert_allclose(matrix_from_euler(euler_from_matrix(matrix)), matrix, atol=1e-9)
    found = np.degrees(euler_from_matrix(matrix))
    turn = (found - [pitch, yaw, roll] + 180) % 360 - 180
    np.testing.assert_allclose(turn, 0, atol=1e-7)


@pytest.mark.parametrize("yaw", [-90.0, 90.0])
def test_gimbal_lock_gives_finite_angles_of_the_same_rotation(yaw):
    matrix = matrix_from_euler(np.radians([20.0, yaw, -10.0]))
    found = euler_from_matrix(matrix)
    assert np.isfinite(found).all()
    assert math.degrees(found[1]) == pytest.approx(yaw, abs=1e-5)


def test_angles_are_those_of_the_formulae_in_the_conventions():
    rotation = random_rotations(20, seed=3)
    viewer = np.diag([1.0, -1.0, -1.0]) @ rotation
    expected = np.stack(
        [
            np.arctan2(viewer[:, 1, 2], viewer[:, 2, 2]),
            np.arcsin(-viewer[:, 0, 2]),
            np.arctan2(viewer[:, 0, 1], viewer[:, 0, 0]),
        ],
        axis=1,
    )
    np.testing.assert_allclose(euler_from_matrix(rotation), expected)
    np.testing.assert_allclose(viewer_from_camera(rotation), viewer)
    np.testing.assert_allclose(viewer_from_camera(viewer_from_camera(rotation)), rotation)


NOSE = np.array([0.0, 0.0, 100.0])
CROWN = np.array([0.0, 150.0, 0.0])
LEFT_EAR = np.array([75.0, 0.0, 0.0])


def picture(pitch, yaw, roll, point):
    """Where a point of the model appears, in pixels from where the model's origin does."""
    rotation = matrix_from_euler(np.radians([float(pitch), float(yaw), float(roll)]))
    pose = Pose(rotation, np.array([0.0, 0.0, 1000.0]))
    return Camera(1000.0, (0.0, 0.0)).project(pose.apply(point[None]))[0]


def test_a_frontal_person_looks_at_the_camera():
    x, y, depth = picture(0, 0, 0, NOSE)
    assert (x, y, depth) == (0.0, 0.0, 900.0)
    assert picture(0, 0, 0, LEFT_EAR)[0] > 0  # their left is at the right of the picture
    assert picture(0, 0, 0, CROWN)[1] < 0  # and up is up


def test_positive_yaw_turns_to_the_person_s_right_and_the_nose_to_the_left_of_the_picture():
    assert picture(0, 30, 0, NOSE)[0] < -40
    assert picture(0, -30, 0, NOSE)[0] > 40
    # Who turns to their right brings the left ear nearer to the viewer.
    assert picture(0, 30, 0, LEFT_EAR)[2] < 1000 < picture(0, -30, 0, LEFT_EAR)[2]


def test_positive_pitch_looks_up():
    assert picture(30, 0, 0, NOSE)[1] < -40  # y points down
    assert picture(-30, 0, 0, NOSE)[1] > 40
    assert picture(30, 0, 0, CROWN)[2] > 1000  # the crown goes away from the viewer


def test_positive_roll_tilts_to_the_left_shoulder_clockwise_in_the_picture():
    assert picture(0, 0, 30, CROWN)[0] > 40
    assert picture(0, 0, -30, CROWN)[0] < -40
    assert picture(0, 0, 30, LEFT_EAR)[1] > 30  # the left ear sinks
    np.testing.assert_allclose(picture(0, 0, 30, NOSE)[:2], 0, atol=1e-9)


@given(st.floats(1e-6, math.pi - 1e-6), st.integers(0, 1000))
def test_angle_between_is_the_rotation_vector_s_length(angle, seed):
    rng = np.random.default_rng(seed)
    axis = rng.normal(size=3)
    turn = Rotation.from_rotvec(angle * axis / np.linalg.norm(axis)).as_matrix()
    first = random_rotations(1, seed)[0]
    assert angle_between(first, turn @ first) == pytest.approx(angle, abs=1e-7)
    assert angle_between(turn @ first, first) == pytest.approx(angle, abs=1e-7)


def test_angle_between_equal_rotations_is_zero_even_in_single_precision():
    rotations = random_rotations(20).astype(np.float32)
    assert (angle_between(rotations, rotations) == 0).all()
    opposite = rotations * np.float32([1, -1, -1])
    np.testing.assert_allclose(angle_between(rotations, opposite), math.pi, atol=1e-3)


def test_torch_gives_the_same_numbers(torch):
    six = np.random.default_rng(0).normal(size=(4, 6))
    angles = np.random.default_rng(1).uniform(-1.2, 1.2, (4, 3))
    rotations = random_rotations(4)
    for function, argument in (
        (matrix_from_6d, six),
        (matrix_from_euler, angles),
        (euler_from_matrix, rotations),
        (six_d_from_matrix, rotations),
        (viewer_from_camera, rotations),
    ):
        found = function(torch.from_numpy(argument))
        assert isinstance(found, torch.Tensor)
        np.testing.assert_allclose(found.numpy(), function(argument), atol=1e-12)
    found = angle_between(torch.from_numpy(rotations), torch.from_numpy(rotations[::-1].copy()))
    np.testing.assert_allclose(found.numpy(), angle_between(rotations, rotations[::-1]), atol=1e-12)


def test_gradients(torch):
    rng = np.random.default_rng(2)
    six = torch.from_numpy(rng.normal(size=(3, 6))).requires_grad_()
    angles = torch.from_numpy(rng.uniform(-1.2, 1.2, (3, 3))).requires_grad_()
    assert torch.autograd.gradcheck(matrix_from_6d, six)
    assert torch.autograd.gradcheck(matrix_from_euler, angles)
    assert torch.autograd.gradcheck(lambda a: euler_from_matrix(matrix_from_euler(a)), angles)
    fixed = torch.from_numpy(random_rotations(3))
    assert torch.autograd.gradcheck(lambda s: angle_between(matrix_from_6d(s), fixed), six)
