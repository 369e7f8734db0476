"""Cumulative error curves."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class CumulativeError:
    """Share of faces whose error is at most a threshold, up to `limit`.

    Thresholds go from zero to `limit`; `auc` is the area under the curve over that of a method
    without errors, in [0, 1]; `failure` the share of faces whose error lies beyond `limit`.
    """

    limit: float
    thresholds: Float[np.ndarray, "t"]
    share: Float[np.ndarray, "t"]
    auc: float
    failure: float


def cumulative_error(
    errors: Float[np.ndarray, "n"], limit: float, num_thresholds: int = 141
) -> CumulativeError:
    """The curve over `errors`; infinite ones (missed faces) count as faces beyond every threshold.

    The area is exact: the mean of `max(0, 1 - error / limit)`; the thresholds are for drawing.

    Raises:
        ValueError: there are no errors, one is negative or NaN, or `limit` is not positive.
    """
    values = np.asarray(errors, dtype=np.float64)
    if not len(values) or not (values >= 0).all() or not limit > 0:
        raise ValueError("a curve needs errors of at least zero and a positive limit")
    thresholds = np.linspace(0.0, limit, num_thresholds)
    share = np.searchsorted(np.sort(values), thresholds, side="right") / len(values)
    auc = float(np.maximum(0.0, 1.0 - values / limit).mean())
    return CumulativeError(limit, thresholds, share, auc, float((values > limit).mean()))
