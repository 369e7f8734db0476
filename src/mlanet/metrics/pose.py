"""Errors of head pose."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

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
