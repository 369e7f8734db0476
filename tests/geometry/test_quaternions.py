import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from mlanet.geometry import (
    between,
    continuous,
    matrix_from_quaternion,
    matrix_from_vector,
    mean_rotation,
    quaternion_from_matrix,
    quaternion_from_vector,
    vector_from_matrix,
    vector_from_quaternion,
)

ANGLES = [0.0, 1e-300, 1e-12, 1e-8, 1e-5, 9.9e-4, 1.1e-3, 0.1, 1.0, 2.0, 3.0]
ANGLES += [math.pi - shy for shy in (1e-3, 1e-6, 1e-9, 1e-12)]


def axes(count=30, seed=0):
    some = np.random.default_rng(seed).normal(size=(count, 3))
    some = np.concatenate([some, np.eye(3), -np.eye(3), 1.0 - np.eye(3)])
    return some / np.linalg.norm(some, axis=1, keepdims=True)


def of_one_sign(quaternions):
    """Those with a positive sum of unlike shares: each rotation has one."""
    return quaternions * np.sign(quaternions @ [1.0, 1.1, 1.3, 1.7])[..., None]


@pytest.mark.parametrize("angle", [*ANGLES, math.pi, 4.0, 2 * math.pi, 20.0])
def test_vectors_turn_as_scipy_says(angle):
    vectors = angle * axes()
    expected = Rotation.from_rotvec(vectors)
    np.testing.assert_allclose(matrix_from_vector(vectors), expected.as_matrix(), atol=1e-15)
    found = quaternion_from_vector(vectors)
    np.testing.assert_allclose(of_one_sign(found), of_one_sign(expected.as_quat()), atol=1e-15)


@pytest.mark.parametrize("angle", ANGLES)
def test_vectors_survive_matrices_and_quaternions(angle):
    vectors = angle * axes()
    again = vector_from_matrix(matrix_from_vector(vectors))
    np.testing.assert_allclose(again, vectors, rtol=1e-12, atol=1e-15)
    for sign in (-1.0, 1.0):
        again = vector_from_quaternion(sign * quaternion_from_vector(vectors))
        np.testing.assert_allclose(again, vectors, rtol=1e-12, atol=1e-15)


def test_half_a_turn_has_a_vector_of_either_sign():
    vectors = vector_from_matrix(Rotation.from_rotvec(math.pi * axes()).as_matrix())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), math.pi, rtol=1e-14)
    np.testing.assert_allclose(np.abs((vectors * axes()).sum(axis=1)), math.pi, rtol=1e-14)


def test_matrices_and_quaternions_are_scipys():
    some = Rotation.random(500, random_state=1)
    found = quaternion_from_matrix(some.as_matrix())
    np.testing.assert_allclose(of_one_sign(found), of_one_sign(some.as_quat()), atol=1e-15)
    np.testing.assert_allclose(vector_from_matrix(some.as_matrix()), some.as_rotvec(), atol=1e-14)
    lengthened = some.as_quat() * np.linspace(0.1, 9.0, 500)[:, None]
    np.testing.assert_allclose(matrix_from_quaternion(lengthened), some.as_matrix(), atol=1e-15)


def test_any_shape_is_kept():
    vectors = 0.5 * np.random.default_rng(2).normal(size=(2, 5, 3))
    each = matrix_from_vector(vectors)
    assert each.shape == (2, 5, 3, 3)
    np.testing.assert_array_equal(matrix_from_vector(vectors[1, 2]), each[1, 2])
    np.testing.assert_allclose(vector_from_matrix(each), vectors, atol=1e-14)
    assert matrix_from_vector(np.zeros((0, 3))).shape == (0, 3, 3)
    assert vector_from_matrix(np.zeros((0, 3, 3))).shape == (0, 3)
    assert matrix_from_vector(vectors.astype(np.float32)).dtype == np.float32


def test_quaternions_follow_one_another():
    vectors = np.linspace(0.0, 12.0, 80)[:, None] * axes(1)[0]
    jumping = quaternion_from_matrix(matrix_from_vector(vectors))
    found = continuous(jumping)
    assert ((jumping[1:] * jumping[:-1]).sum(axis=1) < 0.0).any()
    assert ((found[1:] * found[:-1]).sum(axis=1) > 0.9).all()
    np.testing.assert_array_equal(np.abs(found), np.abs(jumping))
    assert continuous(jumping[:0]).shape == (0, 4)


def test_the_mean_is_scipys():
    some = Rotation.from_rotvec(0.4 * axes(seed=3)[:25]) * Rotation.random(random_state=4)
    weights = np.random.default_rng(5).uniform(0.1, 1.0, 25)
    found = mean_rotation(some.as_matrix())
    np.testing.assert_allclose(found, some.mean().as_matrix(), atol=1e-14)
    found = mean_rotation(some.as_matrix(), weights)
    np.testing.assert_allclose(found, some.mean(weights).as_matrix(), atol=1e-14)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_what_lies_between_is_scipys(share):
    for seed in range(20):
        both = Rotation.random(2, random_state=seed)
        expected = Slerp([0.0, 1.0], both)(share).as_matrix()
        np.testing.assert_allclose(between(*both.as_matrix(), share), expected, atol=1e-14)


def test_torch_gives_the_same_numbers_and_gradients(torch):
    vectors = np.concatenate([angle * axes(3) for angle in ANGLES])
    given = torch.from_numpy(vectors)
    np.testing.assert_allclose(
        matrix_from_vector(given).numpy(), matrix_from_vector(vectors), atol=1e-15
    )
    np.testing.assert_allclose(
        vector_from_matrix(matrix_from_vector(given)).numpy(), vectors, rtol=1e-12, atol=1e-15
    )
    given = torch.from_numpy(np.stack([np.zeros(3), axes(1)[0]])).requires_grad_()
    assert torch.autograd.gradcheck(matrix_from_vector, given)
    assert torch.autograd.gradcheck(lambda v: vector_from_matrix(matrix_from_vector(v)), given)
