import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from mlanet.geometry import connected_pieces


@pytest.mark.parametrize("edges", [0, 10, 60, 120, 400])
def test_pieces_are_scipys(edges):
    for seed in range(10):
        ends = np.random.default_rng(seed).integers(100, size=(edges, 2))
        graph = coo_matrix((np.ones(edges), ends.T), (100, 100))
        expected = connected_components(graph, directed=False)[1]
        np.testing.assert_array_equal(connected_pieces(ends, 100), expected)


def test_a_long_line_is_one_piece():
    order = np.random.default_rng(0).permutation(20_000)
    line = np.stack([order[:-1], order[1:]], axis=1)
    assert (connected_pieces(line, 20_000) == 0).all()
    np.testing.assert_array_equal(
        np.unique(connected_pieces(np.delete(line, 7, 0), 20_000)), [0, 1]
    )


def test_without_edges_every_vertex_is_alone():
    np.testing.assert_array_equal(connected_pieces(np.zeros((0, 2), int), 3), [0, 1, 2])
    assert connected_pieces(np.zeros((0, 2), int), 0).shape == (0,)
