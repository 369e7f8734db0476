"""The pose bins of AFLW2000-3D and the mean over them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

YAW_BINS = ("0-30", "30-60", "60-90")
"""Names of the bins |yaw| <= 30, 30 < |yaw| <= 60 and 60 < |yaw|, in degrees."""

YAW_LIMITS_DEG = (30.0, 60.0)
"""Upper limits of all bins but the last, inclusive (Zhu et al., "Face Alignment in
Full Pose Range: A 3D Total Solution", PAMI 2017)."""


@dataclass(frozen=True, slots=True)
class BinnedMean:
    """Means of a quantity by yaw bin, all in the quantity's unit.

    A bin without images has the mean NaN, and then so has `mean`: a mean of fewer bins is
    another protocol.
    """

    bins: dict[str, float]
    counts: dict[str, int]
    mean: float
    """Mean of the three bin means: each bin weighs the same."""


def yaw_bin_index(yaw_deg: Float[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """Index into `YAW_BINS` of each yaw in degrees, of either sign."""
    return np.digitize(np.abs(yaw_deg), YAW_LIMITS_DEG, right=True)


def mean_of_yaw_bins(values: Float[np.ndarray, "n"], yaw_deg: Float[np.ndarray, "n"]) -> BinnedMean:
    """Mean of `values` in each yaw bin, and the mean of these means.

    Raises:
        ValueError: the two arrays differ in length.
    """
    if values.shape != yaw_deg.shape:
        raise ValueError(f"{values.shape} values, but {yaw_deg.shape} yaw angles")
    index = yaw_bin_index(yaw_deg)
    members = [values[index == k] for k in range(len(YAW_BINS))]
    means = [float(part.mean()) if len(part) else float("nan") for part in members]
    counts = [len(part) for part in members]
    return BinnedMean(
        bins=dict(zip(YAW_BINS, means, strict=True)),
        counts=dict(zip(YAW_BINS, counts, strict=True)),
        mean=float(np.mean(means)),
    )
