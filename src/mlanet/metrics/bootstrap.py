"""How sure is a difference between two methods that saw the same images?"""

from dataclasses import dataclass

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

    Args:
        values: of one method, one for each image.
        baseline: of the other.
        strata: number of each image's stratum; one for all if None.
        confidence: of the interval, in (0, 1).
        resamples: number of draws.
        seed: of the draws.

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
