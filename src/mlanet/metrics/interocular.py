"""PRNet's error of a reconstruction against a scan."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import Similarity
from mlanet.metrics.surfaces import CROP_RADIUS_MM, Surface, counterpart_distances

NUM_POINTS = 19_000
"""Points on the reconstruction; the face region of PRNet's evaluation has about as many."""


def nme_interocular_icp(
    predicted: Surface,
    scan: Surface,
    nose_tip: Float[np.ndarray, "3"],
    motion: Similarity,
    interocular_mm: float,
    *,
    num_points: int = NUM_POINTS,
    radius_mm: float = CROP_RADIUS_MM,
) -> float:
    """Mean distance from an aligned face to the nearest points of a scan, in per cent.

    The unit is the distance of the outer corners of the eyes in the scan. Points are spread over
    the face by area. Feng et al., "Joint 3D face reconstruction and dense alignment with position
    map regression network", ECCV 2018, section 4.3; what lies outside of the crop or has its
    nearest point on the scan's border is left out, as in `surface_distance`. The face may have any
    unit; `motion` is that of `align_surfaces`. The unit of the error is `interocular_mm`, the
    distance of the scan's landmarks 36 and 45.

    Raises:
        ValueError: `interocular_mm` is not positive, or no point has a counterpart.
    """
    if not interocular_mm > 0.0:
        raise ValueError(f"interocular_mm must be positive, got {interocular_mm}")
    points, normals = predicted.spread(num_points)
    moved, turned = motion.apply(points), normals @ motion.rotation.T
    inside = np.linalg.norm(moved - nose_tip, axis=1) <= radius_mm
    distance = counterpart_distances(
        moved[inside], turned[inside], scan.within(nose_tip, radius_mm)
    )
    if not np.isfinite(distance).any():
        raise ValueError("no point of the face has a counterpart: is the motion right?")
    return 100.0 * float(np.nanmean(distance)) / interocular_mm
