"""Does what a method is sure of come true as often as it says?"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

NUM_BINS = 10
"""Equal parts of [0, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """Cases by how sure the method was of them; parts of [0, 1] without cases are left out.

    Attributes:
        confidence: mean of each part.
        share: of the part's cases that came true.
        counts: of cases.
    """

    confidence: Float[np.ndarray, "k"]
    share: Float[np.ndarray, "k"]
    counts: Int[np.ndarray, "k"]

    @property
    def expected_error(self) -> float:
        """Mean difference of confidence and share over the cases (ECE); NaN without any."""
        if not len(self.counts):
            return float("nan")
        return float(np.average(np.abs(self.confidence - self.share), weights=self.counts))


def reliability(
    confidence: Float[np.ndarray, "n"], came_true: Bool[np.ndarray, "n"]
) -> Reliability:
    """Confidence beside how often it was right.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.

    Raises:
        ValueError: the shapes differ, or a confidence is not in [0, 1].
    """
    if confidence.shape != came_true.shape or confidence.ndim != 1:
        raise ValueError(f"expected (n,) and (n,), got {confidence.shape} and {came_true.shape}")
    if not ((confidence >= 0.0) & (confidence <= 1.0)).all():
        raise ValueError("a confidence is not in [0, 1]")
    part = np.minimum((NUM_BINS * confidence).astype(int), NUM_BINS - 1)
    counts = np.bincount(part, minlength=NUM_BINS)
    kept = counts > 0
    sums = [np.bincount(part, values, NUM_BINS)[kept] for values in (confidence, came_true)]
    means = [each / counts[kept] for each in sums]
    return Reliability(means[0], means[1], counts[kept])
