import numpy as np
import pytest
from scipy import stats

from mlanet.metrics import (
    mean_of_yaw_bins,
    paired_difference,
    pearson_correlation,
    share_estimate,
    yaw_bin_index,
)


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(size=count)


def test_the_interval_of_normal_differences_is_the_one_of_theory():
    baseline = 3.0 + noise(400)
    difference = 0.1 + 0.2 * noise(400, 1)
    found = paired_difference(baseline + difference, baseline)
    half = stats.norm.ppf(0.975) * difference.std() / np.sqrt(400)
    assert found.mean == pytest.approx(difference.mean())
    assert found.low == pytest.approx(difference.mean() - half, abs=0.05 * half)
    assert found.high == pytest.approx(difference.mean() + half, abs=0.05 * half)


def test_pairing_takes_out_what_both_share():
    hard = 10.0 * noise(200)
    found = paired_difference(hard + 0.5, hard)
    assert (found.low, found.mean, found.high) == pytest.approx((0.5, 0.5, 0.5))


def test_strata_are_kept_and_weigh_the_same():
    groups = np.repeat([0, 1, 2], [90, 9, 1])
    found = paired_difference(np.array([1.0, 4.0, 7.0])[groups], np.zeros(100), groups)
    assert (found.low, found.mean, found.high) == pytest.approx((4.0, 4.0, 4.0))


def test_bins_of_yaw_give_the_protocols_mean():
    yaw = np.linspace(-90, 90, 61)
    ours, theirs = 3.0 + noise(61), 3.0 + noise(61, 1)
    found = paired_difference(ours, theirs, yaw_bin_index(yaw))
    expected = mean_of_yaw_bins(ours, yaw).mean - mean_of_yaw_bins(theirs, yaw).mean
    assert found.mean == pytest.approx(expected)


def test_scipys_bootstrap_agrees():
    groups = np.repeat([0, 1, 2], [60, 30, 20])
    values = noise(110) * np.array([1.0, 2.0, 3.0])[groups]
    found = paired_difference(values, np.zeros(110), groups, confidence=0.9)
    expected = stats.bootstrap(
        [values[groups == k] for k in range(3)],
        lambda *parts, axis: sum(part.mean(axis=axis) for part in parts) / 3,
        method="percentile",
        confidence_level=0.9,
        n_resamples=10_000,
        random_state=1,
    ).confidence_interval
    assert found.low == pytest.approx(expected.low, abs=0.02)
    assert found.high == pytest.approx(expected.high, abs=0.02)


@pytest.mark.parametrize(
    ("values", "baseline", "strata", "confidence"),
    [
        (np.zeros(3), np.zeros(4), None, 0.95),
        (np.zeros(3), np.zeros(3), np.zeros(2, int), 0.95),
        (np.zeros(0), np.zeros(0), None, 0.95),
        (np.zeros(3), np.zeros(3), None, 1.0),
    ],
)
def test_what_makes_no_sense_is_refused(values, baseline, strata, confidence):
    with pytest.raises(ValueError, match=r"expected|confidence"):
        paired_difference(values, baseline, strata, confidence=confidence)


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
