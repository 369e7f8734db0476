import numpy as np
from scipy.optimize import lsq_linear

from mlanet.morphable.least_squares import bounded_ridge, bounded_step, ridge


def test_repeated_steps_reach_the_bounded_optimum():
    rng = np.random.default_rng(1)
    batch, num_rows, unknowns = 4, 12, 30
    rows = rng.normal(size=(batch, num_rows, unknowns))
    target = 3 * rng.normal(size=(batch, num_rows))
    sd = np.full((batch, unknowns), 0.7)
    mean = 0.1 * rng.normal(size=(batch, unknowns))
    bounds = np.full(unknowns, -0.2), np.full(unknowns, 0.5)
    current, fixed = np.zeros((batch, unknowns)), np.zeros((batch, unknowns), bool)
    for _ in range(25):
        current, fixed = bounded_step(rows, target, mean, sd, bounds, fixed, current)
    assert fixed.any()
    for k in range(batch):
        stacked = np.vstack([rows[k], np.diag(1 / sd[k])])
        right = np.concatenate([target[k], mean[k] / sd[k]])
        expected = lsq_linear(stacked, right, bounds, method="bvls").x
        np.testing.assert_allclose(current[k], expected, atol=1e-6)


def problem(seed, count=9, points=40):
    rng = np.random.default_rng(seed)
    rows, rest = rng.normal(size=(points, 3, count)), 2.0 * rng.normal(size=(points, 3))
    return rows, rest, rng.uniform(0.0, 2.0, points), rng.uniform(0.5, 3.0, count)


def stacked(rows, rest, weight, prior):
    """The same problem without a prior: a row more for each unknown."""
    root = np.sqrt(weight)[:, None]
    matrix = np.vstack([(rows * root[..., None]).reshape(-1, len(prior)), np.diag(np.sqrt(prior))])
    return matrix, np.concatenate([(rest * root).ravel(), np.zeros(len(prior))])


def test_a_ridge_is_a_least_squares_fit_of_more_rows():
    given = problem(0)
    expected, *_ = np.linalg.lstsq(*stacked(*given), rcond=None)
    np.testing.assert_allclose(ridge(*given), expected, atol=1e-10)


def test_a_bounded_ridge_is_the_bounded_optimum():
    low, high = np.full(9, -np.inf), np.full(9, np.inf)
    low[4:], high[4:] = 0.0, 0.1
    for seed in range(20):
        given = problem(seed)
        found = bounded_ridge(*given, (low, high))
        expected = lsq_linear(*stacked(*given), (low, high), method="bvls").x
        np.testing.assert_allclose(found, expected, atol=1e-8)
        assert ((found[4:] == 0.0) | (found[4:] == 0.1)).any()


def test_without_bounds_that_matter_it_is_the_ridge():
    given = problem(3)
    far = np.full(9, 1e3)
    np.testing.assert_allclose(bounded_ridge(*given, (-far, far)), ridge(*given), atol=1e-10)
