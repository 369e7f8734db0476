import numpy as np
import pytest
from scipy import stats

from mlanet.metrics import pearson_correlation, share_estimate


def pairs(count=300, noise=0.7, seed=0):
    rng = np.random.default_rng(seed)
    one = rng.normal(size=count)
    return one, one + noise * rng.normal(size=count)


def test_scipy_gives_the_same_correlation_and_interval():
    one, other = pairs()
    found = pearson_correlation(one, other)
    assert found.value == pytest.approx(np.corrcoef(one, other)[0, 1])
    assert found.count == 300
    expected = stats.bootstrap(
        (one, other),
        lambda a, b: np.corrcoef(a, b)[0, 1],
        paired=True,
        vectorized=False,
        method="percentile",
        n_resamples=2_000,
        random_state=1,
    ).confidence_interval
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=0.01)


def test_scale_and_offset_do_not_matter_and_the_sign_does():
    one, other = pairs()
    assert pearson_correlation(3.0 * one + 7.0, one).value == pytest.approx(1.0)
    assert pearson_correlation(-one, other).value == pytest.approx(
        -pearson_correlation(one, other).value
    )


def test_constants_and_too_few_cases_say_nothing():
    one, _ = pairs(10)
    for first, second in ((one, np.full(10, 0.1)), (one[:2], one[:2])):
        found = pearson_correlation(first, second)
        assert np.isnan([found.value, found.low, found.high]).all()
        assert found.count == len(first)


def test_draws_without_spread_are_left_out():
    rare = np.zeros(20)
    rare[3] = 1.0
    found = pearson_correlation(rare, rare)  # one draw in three holds no one but zeros
    assert (found.low, found.value, found.high) == pytest.approx((1.0, 1.0, 1.0))


@pytest.mark.parametrize(("successes", "count"), [(0, 12), (9, 12), (100, 100)])
def test_scipy_gives_the_same_interval_of_shares(successes, count):
    found = share_estimate(successes, count)
    expected = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert found.value == successes / count
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_bad_input_is_refused():
    one, _ = pairs(10)
    with pytest.raises(ValueError, match="expected"):
        pearson_correlation(one, one[:5])
    with pytest.raises(ValueError, match="confidence"):
        pearson_correlation(one, one, confidence=1.0)
    with pytest.raises(ValueError, match="successes"):
        share_estimate(3, 2)
    assert np.isnan(share_estimate(0, 0).value)
