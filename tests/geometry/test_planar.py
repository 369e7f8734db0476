import numpy as np
import pytest
from scipy.spatial import Delaunay

from mlanet.geometry import delaunay_weights


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("seed", range(5))
def test_triangles_are_scipys(seed, scale):
    rng = np.random.default_rng(seed)
    points = scale * (rng.normal(size=(200, 2)) * [1.0, 0.2] + [5.0, -3.0])
    wanted = scale * (rng.normal(size=(80, 2)) * [0.5, 0.1] + [5.0, -3.0])
    triangles = Delaunay(points)
    held = triangles.find_simplex(wanted)
    wanted, held = wanted[held >= 0], held[held >= 0]
    assert len(wanted) > 60
    corners, weights = delaunay_weights(points, wanted)
    expected = np.sort(triangles.simplices[held], axis=1)
    np.testing.assert_array_equal(np.sort(corners, axis=1), expected)
    assert (weights > 0.0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    again = (points[corners] * weights[..., None]).sum(axis=1)
    np.testing.assert_allclose(again, wanted, rtol=1e-12)


def test_grids_have_more_than_one_answer_and_get_one():
    points = np.stack(np.meshgrid(np.arange(8.0), np.arange(5.0)), axis=-1).reshape(-1, 2)
    own = points[((points > 0.0) & (points < [7.0, 4.0])).all(axis=1)]
    wanted = np.concatenate([own, np.random.default_rng(0).uniform(0.01, 3.99, (50, 2))])
    corners, weights = delaunay_weights(points, wanted)
    again = (points[corners] * weights[..., None]).sum(axis=1)
    np.testing.assert_allclose(again, wanted, atol=1e-12)
    assert (weights > -1e-12).all()
    assert (np.ptp(points[corners], axis=1) <= 1.0).all()


@pytest.mark.parametrize("place", [(1.4, 0.0), (0.9, 0.9), (0.0, -30.0)])
def test_outside_there_is_none(place):
    angle = np.linspace(0.0, 2.0 * np.pi, 30, endpoint=False)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    inside = np.array([[0.1, 0.2]])
    assert delaunay_weights(points, inside) is not None
    assert delaunay_weights(points, np.append(inside, [place], axis=0)) is None


def test_of_no_places_there_is_nothing():
    corners, weights = delaunay_weights(np.eye(3, 2), np.zeros((0, 2)))
    assert corners.shape == weights.shape == (0, 3)
