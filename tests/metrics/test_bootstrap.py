import numpy as np
import pytest

from mlanet.metrics import paired_difference


def test_a_constant_gain_has_no_interval():
    rng = np.random.default_rng(0)
    errors = rng.gamma(3.0, size=60)
    found = paired_difference(errors, errors - 0.25, rng.integers(0, 3, 60))
    assert (found.value, found.low, found.high) == pytest.approx((-0.25,) * 3)


def test_groups_weigh_the_same():
    first, group = np.zeros(100), np.array([0] * 99 + [1])
    second = np.array([0.0] * 99 + [2.0])
    assert paired_difference(first, second, group).value == pytest.approx(1.0)
    assert paired_difference(first, second).value == pytest.approx(0.02)


def test_the_interval_is_that_of_the_normal_distribution():
    rng = np.random.default_rng(3)
    gain = rng.normal(0.1, 1.0, 400)
    found = paired_difference(np.zeros(400), gain)
    error = gain.std() / np.sqrt(400)
    assert found.value - found.low == pytest.approx(1.96 * error, rel=0.1)
    assert found.high - found.value == pytest.approx(1.96 * error, rel=0.1)


def test_sides_must_fit():
    with pytest.raises(ValueError, match="paired"):
        paired_difference(np.zeros(3), np.zeros(4))
