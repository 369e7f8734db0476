"""How far a difference of means may be chance."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

CONFIDENCE = 0.95
NUM_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two means and its percentile interval of `CONFIDENCE`."""

    value: float
    low: float
    high: float


def paired_difference(
    first: Float[np.ndarray, "n"],
    second: Float[np.ndarray, "n"],
    group: Int[np.ndarray, "n"] | None = None,
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Difference:
    """Mean of `second - first` on the same images, with a paired bootstrap interval.

    With groups (yaw bins) it is the mean of the groups' means, and images are drawn within their
    groups. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Raises:
        ValueError: the arrays differ in length or are empty.
    """
    index = np.zeros(len(first), dtype=np.int64) if group is None else np.asarray(group)
    if not (len(first) == len(second) == len(index)) or not len(first):
        raise ValueError("a paired difference needs as many numbers on both sides")
    rng = np.random.default_rng(seed)
    gain = np.asarray(second, dtype=np.float64) - np.asarray(first, dtype=np.float64)
    members = [gain[index == k] for k in np.unique(index)]
    drawn = [
        part[rng.integers(len(part), size=(num_resamples, len(part)))].mean(axis=1)
        for part in members
    ]
    tail = 50.0 * (1.0 - CONFIDENCE)
    low, high = np.percentile(np.mean(drawn, axis=0), [tail, 100.0 - tail])
    value = float(np.mean([part.mean() for part in members]))
    return Difference(value, float(low), float(high))
