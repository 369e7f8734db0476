"""Errors, each named by its protocol. Pure functions of arrays; nothing is read or written."""

from mlanet.metrics.alignment import (
    landmark_errors_2d,
    nme_2d_68,
    nme_dense,
    nme_reconstruction,
)
from mlanet.metrics.bootstrap import (
    Difference,
    Estimate,
    paired_difference,
    pearson_correlation,
    share_estimate,
    spearman_correlation,
)
from mlanet.metrics.cumulative import CumulativeError, cumulative_error
from mlanet.metrics.interocular import nme_interocular_icp
from mlanet.metrics.pose import (
    MAX_POSE_DEG,
    YAW_BINS,
    BinnedMean,
    HeadPoseMae,
    head_pose_mae,
    mean_of_yaw_bins,
    within_pose_range,
    yaw_bin_index,
)
from mlanet.metrics.reliability import Reliability, reliability
from mlanet.metrics.surfaces import (
    CROP_RADIUS_MM,
    DirectedDistance,
    Surface,
    SurfaceDistance,
    align_surfaces,
    distances_to_scan,
    point_to_plane,
    surface_distance,
)
from mlanet.metrics.verification import (
    RocCurve,
    Verification,
    cosine_similarity,
    roc_curve,
    verification,
)

__all__ = [
    "CROP_RADIUS_MM",
    "MAX_POSE_DEG",
    "YAW_BINS",
    "BinnedMean",
    "CumulativeError",
    "Difference",
    "DirectedDistance",
    "Estimate",
    "HeadPoseMae",
    "Reliability",
    "RocCurve",
    "Surface",
    "SurfaceDistance",
    "Verification",
    "align_surfaces",
    "cosine_similarity",
    "cumulative_error",
    "distances_to_scan",
    "head_pose_mae",
    "landmark_errors_2d",
    "mean_of_yaw_bins",
    "nme_2d_68",
    "nme_dense",
    "nme_interocular_icp",
    "nme_reconstruction",
    "paired_difference",
    "pearson_correlation",
    "point_to_plane",
    "reliability",
    "roc_curve",
    "share_estimate",
    "spearman_correlation",
    "surface_distance",
    "verification",
    "within_pose_range",
    "yaw_bin_index",
]
