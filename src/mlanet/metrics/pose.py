"""Errors of head pose, and means over the pose bins of AFLW2000-3D."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

MAX_POSE_DEG = 99.0
"""Images whose true pitch, yaw or roll lies beyond ± this are left out, as in Yang et al.,
"FSA-Net", CVPR 2019, and Ruiz et al., "Hopenet", CVPR Workshops 2018 (1,969 of 2,000 remain)."""


@dataclass(frozen=True, slots=True)
class HeadPoseMae:
    """Mean absolute errors in degrees over `images` images; NaN if there are none."""

    pitch: float
    yaw: float
    roll: float
    mean: float
    images: int


def within_pose_range(truth_deg: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
    """Which faces the head-pose protocol keeps: every angle within ± `MAX_POSE_DEG`."""
    return np.abs(truth_deg).max(axis=-1) <= MAX_POSE_DEG


def head_pose_mae(
    predicted_deg: Float[np.ndarray, "n 3"], truth_deg: Float[np.ndarray, "n 3"]
) -> HeadPoseMae:
    """Mean absolute error of (pitch, yaw, roll) in degrees on the faces within range.

    Plain differences of Euler angles, not wrapped around at ±180°, in the convention of
    300W-LP and AFLW2000-3D (see docs/reference/conventions.md).

    Raises:
        ValueError: the shapes are not (n, 3).
    """
    if predicted_deg.shape != truth_deg.shape or truth_deg.shape[1:] != (3,):
        raise ValueError(f"expected (n, 3) twice, got {predicted_deg.shape}, {truth_deg.shape}")
    kept = within_pose_range(truth_deg)
    if not kept.any():
        nan = float("nan")
        return HeadPoseMae(nan, nan, nan, nan, 0)
    error = np.abs(predicted_deg[kept] - truth_deg[kept]).mean(axis=0)
    pitch, yaw, roll = (float(value) for value in error)
    return HeadPoseMae(pitch, yaw, roll, float(error.mean()), int(kept.sum()))


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
