import numpy as np
import pytest
from scipy import stats

from mlanet.metrics import mean_of_yaw_bins, paired_difference, yaw_bin_index


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
