import sys

import numpy as np
import pytest
import trimesh
from scipy.spatial import KDTree

from mlanet.errors import ConfigurationError
from mlanet.geometry import (
    MeshTopology,
    SurfaceIndex,
    closest_points_naive,
    distance_to_nearest,
    on_border,
)


@pytest.fixture(scope="module")
def sphere():
    mesh = trimesh.creation.icosphere(subdivisions=2, radius=50.0)
    return np.asarray(mesh.vertices), np.asarray(mesh.faces)


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(0).normal(scale=45.0, size=(200, 3))


def test_the_index_finds_what_looking_at_all_triangles_finds(sphere, points, with_scipy):
    vertices, faces = sphere
    found = SurfaceIndex(vertices, MeshTopology(faces, len(vertices))).query(points)
    slow = closest_points_naive(points, vertices, faces)
    outside = np.linalg.norm(points, axis=1) > 30.0  # at the centre all triangles are as near
    np.testing.assert_allclose(found.distance[outside], slow.distance[outside], atol=1e-9)
    np.testing.assert_allclose(found.points[outside], slow.points[outside], atol=1e-6)


def test_points_are_the_closest_ones(sphere, points):
    """No point of a fine sampling of the surface is nearer."""
    vertices, faces = sphere
    found = closest_points_naive(points, vertices, faces)
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(3), size=(len(faces), 20))
    samples = np.einsum("fsk,fkd->fsd", weights, vertices[faces]).reshape(-1, 3)
    nearest = np.linalg.norm(points[:, None] - samples, axis=-1).min(axis=1)
    assert (found.distance <= nearest + 1e-9).all()
    assert (nearest - found.distance < 3.0).all()


def test_weights_are_those_of_the_points(sphere, points):
    vertices, faces = sphere
    found = closest_points_naive(points, vertices, faces)
    assert found.barycentric.min() >= 0
    np.testing.assert_allclose(found.barycentric.sum(axis=1), 1, atol=1e-9)
    blended = (vertices[faces[found.face_index]] * found.barycentric[..., None]).sum(axis=1)
    np.testing.assert_allclose(blended, found.points, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(points - found.points, axis=1), found.distance)


def test_points_beyond_edges_and_corners_and_degenerate_triangles():
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0], [2, 0, 0]])
    faces = np.array([[0, 1, 2]])
    query = np.array([[1.0, -1, 0], [-1, -1, 0], [0.5, 0.5, 3], [3, 0, 0], [2, 2, 0]])
    expected = [[1, 0, 0], [0, 0, 0], [0.5, 0.5, 0], [2, 0, 0], [1, 1, 0]]
    np.testing.assert_allclose(closest_points_naive(query, vertices, faces).points, expected)
    flat = closest_points_naive(query, vertices, np.array([[0, 1, 3]]))
    assert np.isfinite(flat.barycentric).all()
    np.testing.assert_allclose(flat.points[0], [1, 0, 0])


def test_points_beyond_a_border_are_told(with_scipy):
    """A square of four triangles around its middle: beyond it, at its corner, and above it."""
    vertices = np.array([[0.0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0], [1, 1, 0]])
    topology = MeshTopology(np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]]), 5)
    points = np.array([[1.0, -3, 0.5], [3, 3, 0], [1, 1, 2], [0.9, 0.3, -1]])
    found = SurfaceIndex(vertices, topology).query(points)
    assert on_border(found, topology).tolist() == [True, True, False, False]


def test_the_nearest_of_a_few_points_is_as_far_as_scipy_says():
    rng = np.random.default_rng(7)
    points, others = rng.normal(size=(1000, 3)), rng.normal(size=(40, 3))
    expected, _ = KDTree(others).query(points)
    np.testing.assert_allclose(distance_to_nearest(points, others), expected, rtol=1e-14)
    assert distance_to_nearest(points[:0], others).shape == (0,)


def test_without_scipy_one_line_says_what_to_install(sphere, monkeypatch):
    vertices, faces = sphere
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(
        ConfigurationError, match=r"comparing surfaces .* pip install .*\[evaluate\]"
    ):
        SurfaceIndex(vertices, MeshTopology(faces, len(vertices)))
