from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from mlanet.video.matching import assign


def test_the_cheapest_whole_is_taken_not_the_cheapest_pair():
    assert assign(np.array([[1.0, 2.0], [2.0, 9.0]]), 10.0) == [(0, 1), (1, 0)]


def test_pairs_that_cost_too_much_are_left_out():
    assert assign(np.array([[5.0, 0.5], [5.0, 0.4]]), 1.0) == [(1, 1)]
    assert assign(np.array([[5.0]]), 1.0) == []
    assert assign(np.zeros((0, 3)), 1.0) == []
    assert assign(np.array([[np.inf, 0.5]]), 1.0) == [(0, 1)]


def test_the_total_is_that_of_the_best_permutation():
    cost = np.random.default_rng(0).uniform(size=(4, 4))
    best = min(sum(cost[k, p[k]] for k in range(4)) for p in permutations(range(4)))
    assert np.isclose(sum(cost[pair] for pair in assign(cost, 100.0)), best)


@pytest.mark.parametrize("shape", [(1, 1), (3, 8), (8, 3), (12, 12), (25, 20)])
@pytest.mark.parametrize("most", [0.1, 0.5, 2.0])
def test_pairs_are_scipys(shape, most):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        cost = rng.uniform(size=shape) + 0.5 * rng.uniform(size=(shape[0], 1))
        rows, columns = shape
        whole = np.full((rows + columns, rows + columns), most)
        whole[:rows, :columns] = np.where(cost <= most, cost, 1e6)
        whole[rows:, columns:] = 0.0
        pairs = zip(*map(np.ndarray.tolist, linear_sum_assignment(whole)), strict=True)
        assert assign(cost, most) == [(r, c) for r, c in pairs if r < rows and c < columns]


def test_equal_costs_are_no_trouble():
    assert len(assign(np.zeros((6, 4)), 1.0)) == 4
    assert len(assign(np.ones((30, 30)), 1.5)) == 30
