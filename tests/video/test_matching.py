from itertools import permutations

import numpy as np

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
