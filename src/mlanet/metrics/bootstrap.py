"""How sure is a difference of two methods, a correlation, a share? Intervals over cases."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference and its interval, in the unit of the values."""

    mean: float
    low: float
    high: float


def paired_difference(
    values: Float[np.ndarray, "n"],
    baseline: Float[np.ndarray, "n"],
    strata: Int[np.ndarray, "n"] | None = None,
    *,
    confidence: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Mean of `values - baseline` over images, with a percentile interval by paired bootstrap.

    Images are drawn anew with replacement, both methods' values together (Efron and Tibshirani,
    "An Introduction to the Bootstrap", 1993). With strata, such as yaw bins, the mean is that
    of the strata's means and images are drawn within each. The interval says how the figure
    depends on the choice of the images, not on the seed of a training.

    Raises:
        ValueError: the shapes differ, there are no images or `confidence` is not in (0, 1).
    """
    groups = np.zeros(len(values), dtype=np.int64) if strata is None else strata
    if not values.shape == baseline.shape == groups.shape or not len(values):
        raise ValueError(f"expected (n,), got {values.shape}, {baseline.shape}, {groups.shape}")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    difference = values.astype(np.float64) - baseline
    rng = np.random.default_rng(seed)
    means: list[float] = []
    drawn = np.zeros(resamples)
    for group in np.unique(groups):
        members = difference[groups == group]
        means.append(float(members.mean()))
        drawn += members[rng.integers(len(members), size=(resamples, len(members)))].mean(axis=1)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(drawn / len(means), [tail, 1.0 - tail])
    return Difference(float(np.mean(means)), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure in [-1, 1], its interval, and how many cases it stands on; NaN where undefined."""

    value: float
    low: float
    high: float
    count: int


def pearson_correlation(
    one: Float[np.ndarray, "n"],
    other: Float[np.ndarray, "n"],
    *,
    confidence: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """Pearson's correlation over cases, with a percentile interval by bootstrap over cases.

    Cases are drawn anew with replacement, both values together (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993). Draws in which one of the two is constant are left out.
    Where one is constant in all cases, or there are fewer than three, nothing is said: NaN.

    Raises:
        ValueError: the shapes differ or `confidence` is not in (0, 1).
    """
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"expected (n,) and (n,), got {one.shape} and {other.shape}")
    tail = _tail(confidence)
    pairs = np.stack([one, other]).astype(np.float64)
    count = len(one)
    if count < 3 or (np.ptp(pairs, axis=1) == 0.0).any():
        return Estimate(float("nan"), float("nan"), float("nan"), count)
    drawn = np.random.default_rng(seed).integers(count, size=(resamples, count))
    resampled = _correlations(pairs[:, drawn])
    resampled = resampled[np.isfinite(resampled)]
    low, high = np.quantile(resampled, [tail, 1.0 - tail]) if len(resampled) else (np.nan, np.nan)
    return Estimate(float(_correlations(pairs)), float(low), float(high), count)


def spearman_correlation(one: Float[np.ndarray, "n"], other: Float[np.ndarray, "n"]) -> float:
    """Pearson's correlation of the ranks of cases, equal values sharing theirs.

    NaN where one of the two is constant, or there are fewer than three.

    Raises:
        ValueError: the shapes differ.
    """
    if one.shape != other.shape or one.ndim != 1:
        raise ValueError(f"expected (n,) and (n,), got {one.shape} and {other.shape}")
    if len(one) < 3:
        return float("nan")
    return float(_correlations(np.stack([_ranks(one), _ranks(other)])))


def _ranks(values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """From 1 on; equal values share the mean of theirs. NaN if a value is."""
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2.0)[place]


def share_estimate(successes: int, count: int, *, confidence: float = 0.95) -> Estimate:
    """A share of cases with Wilson's score interval, which also tells how sure a share of 1 is.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 1927.

    Raises:
        ValueError: `successes` is not in 0..`count`, or `confidence` is not in (0, 1).
    """
    if not 0 <= successes <= count:
        raise ValueError(f"expected 0 to {count} successes, got {successes}")
    z = NormalDist().inv_cdf(1.0 - _tail(confidence))
    if count == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    share, spread = successes / count, z**2 / count
    middle = share + spread / 2.0
    half = z * np.sqrt(share * (1.0 - share) / count + spread / (4.0 * count))
    low, high = (middle - half) / (1.0 + spread), (middle + half) / (1.0 + spread)
    return Estimate(share, max(float(low), 0.0), min(float(high), 1.0), count)


def _tail(confidence: float) -> float:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be in (0, 1), got {confidence}")
    return (1.0 - confidence) / 2.0


def _correlations(pairs: Float[np.ndarray, "2 *b n"]) -> Float[np.ndarray, "*b"]:
    """Along the last axis; NaN where one of the two is constant."""
    constant = (np.ptp(pairs, axis=-1) == 0.0).any(axis=0)
    centered = pairs - pairs.mean(axis=-1, keepdims=True)
    one, other = centered
    norm = np.sqrt((one**2).sum(axis=-1) * (other**2).sum(axis=-1))
    correlation = (one * other).sum(axis=-1) / np.where(constant, 1.0, norm)
    return np.where(constant, np.nan, correlation)
