import numpy as np
import trimesh

from mlanet.geometry import MeshTopology


def test_closed_mesh_has_two_corners_at_each_edge():
    ball = trimesh.creation.icosphere(subdivisions=2)
    topology = MeshTopology(np.asarray(ball.faces), len(ball.vertices))
    table = topology.edge_opposites
    np.testing.assert_array_equal(np.unique(np.sort(table[:, :2], axis=1), axis=0), topology.edges)
    faces = {tuple(sorted(face)) for face in ball.faces.tolist()}
    for first, second, one, other in table.tolist():
        assert tuple(sorted((first, second, one))) in faces
        assert tuple(sorted((first, second, other))) in faces
        assert one != other


def test_direction_is_that_of_the_first_triangle():
    table = MeshTopology(np.array([[4, 2, 0], [0, 2, 1]]), 5).edge_opposites
    rows = {frozenset(row[:2]): row for row in table.tolist()}
    assert len(rows) == len(table) == 5
    assert rows[frozenset((2, 0))] == [2, 0, 4, 1]
    assert rows[frozenset((0, 4))] == [0, 4, 2, -1]
    assert rows[frozenset((2, 1))] == [2, 1, 0, -1]


def test_a_third_triangle_at_an_edge_counts_as_a_border():
    table = MeshTopology(np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]]), 5).edge_opposites
    shared = [row for row in table.tolist() if set(row[:2]) == {0, 1}]
    assert shared == [[0, 1, 2, 3], [0, 1, 4, -1]]


def test_no_faces_have_no_edges():
    assert MeshTopology(np.zeros((0, 3), dtype=np.int32), 3).edge_opposites.shape == (0, 4)
