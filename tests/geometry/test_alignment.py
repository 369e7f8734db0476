import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from mlanet.geometry import Similarity, fit_similarity


def cloud(count, dimension=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)) * 50


def rotation_part(matrix):
    return matrix[:3, :3] / np.cbrt(np.linalg.det(matrix[:3, :3]))


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100), st.sampled_from([2, 3]))
def test_a_similarity_is_recovered(seed, scale, dimension):
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0]
    rotation[:, 0] *= np.linalg.det(rotation)
    truth = Similarity(scale, rotation, rng.normal(size=dimension) * 100)
    points = rng.normal(size=(12, dimension)) * 30
    found = fit_similarity(points, truth.apply(points))
    assert found.scale == pytest.approx(scale)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-7)
    np.testing.assert_allclose(found.translation, truth.translation, atol=1e-5 * max(1, scale))


def test_noisy_points_are_aligned_as_trimesh_and_scipy_do():
    source = cloud(60)
    turn = Rotation.from_rotvec([0.3, -1.0, 0.4])
    target = 1.7 * turn.apply(source) + [5, -9, 2] + cloud(60, seed=1) * 0.1
    found = fit_similarity(source, target)
    # trimesh scales by the ratio of the spreads, not by least squares: compare the rotation.
    matrix, *_ = trimesh.registration.procrustes(source, target, reflection=False)
    np.testing.assert_allclose(found.rotation, rotation_part(matrix), atol=1e-9)

    centred = source - source.mean(0), target - target.mean(0)
    _, _, disparity = procrustes(target, source)
    residual = ((found.apply(source) - target) ** 2).sum() / (centred[1] ** 2).sum()
    assert residual == pytest.approx(disparity)
    expected, _ = Rotation.align_vectors(centred[1], centred[0])
    np.testing.assert_allclose(found.rotation, expected.as_matrix(), atol=1e-7)


def test_without_scale_it_is_the_best_rigid_motion():
    source, target = cloud(40), cloud(40, seed=3)
    found = fit_similarity(source, target, with_scale=False)
    matrix, *_ = trimesh.registration.procrustes(source, target, reflection=False, scale=False)
    assert found.scale == 1
    np.testing.assert_allclose(found.rotation, matrix[:3, :3], atol=1e-9)
    np.testing.assert_allclose(found.translation, matrix[:3, 3], atol=1e-9)


def test_a_mirror_image_is_not_reached_by_reflection():
    source = cloud(30)
    found = fit_similarity(source, source * [-1, 1, 1])
    assert np.linalg.det(found.rotation) == pytest.approx(1)
    assert 0 < found.scale < 1
    matrix, *_ = trimesh.registration.procrustes(source, source * [-1, 1, 1], reflection=False)
    np.testing.assert_allclose(found.rotation, rotation_part(matrix), atol=1e-9)


def test_no_other_similarity_is_closer():
    rng = np.random.default_rng(5)
    source, target = cloud(20), cloud(20, seed=6)
    best = fit_similarity(source, target)
    least = ((best.apply(source) - target) ** 2).sum()
    for _ in range(50):
        turn = Rotation.from_rotvec(rng.normal(size=3) * 0.02).as_matrix()
        other = Similarity(
            best.scale * float(np.exp(rng.normal() * 0.02)),
            turn @ best.rotation,
            best.translation + rng.normal(size=3),
        )
        assert ((other.apply(source) - target) ** 2).sum() >= least


def test_weights_count_like_repeated_points():
    source, target = cloud(10), cloud(10, seed=1)
    times = np.arange(10) % 4
    found = fit_similarity(source, target, weights=times.astype(float))
    expected = fit_similarity(np.repeat(source, times, axis=0), np.repeat(target, times, axis=0))
    assert found.scale == pytest.approx(expected.scale)
    np.testing.assert_allclose(found.rotation, expected.rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, expected.translation, atol=1e-9)
    np.testing.assert_allclose(found.undo(found.apply(source)), source, atol=1e-9)


def test_a_single_repeated_point_is_only_moved():
    found = fit_similarity(np.ones((5, 3)), np.full((5, 3), 4.0))
    assert found.scale == 1
    np.testing.assert_allclose(found.apply(np.ones((1, 3))), 4)


@pytest.mark.parametrize(("first", "second"), [((4, 3), (5, 3)), ((2, 3), (2, 3)), ((3,), (3,))])
def test_shapes_that_cannot_be_aligned_are_refused(first, second):
    with pytest.raises((ValueError, TypeError), match=r"align|fit_similarity"):
        fit_similarity(np.zeros(first), np.zeros(second))
