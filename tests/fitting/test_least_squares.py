import numpy as np
from scipy.optimize import lsq_linear

from mlanet.fitting.least_squares import bounded_step


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
