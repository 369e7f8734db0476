"""Landmarks as a `.pts` file, the 300-W data set's format."""

import os

import numpy as np
from jaxtyping import Float

from mlanet.files import atomic_path


def write_pts(path: str | os.PathLike[str], landmarks_px: Float[np.ndarray, "68 d"]) -> None:
    """Write x and y of the 68 landmarks (iBUG order).

    Points in the file count pixels from one and mean their centres, so half a pixel is added to
    ours (docs/reference/conventions.md); `mlanet fit --landmarks` takes it off again.

    Raises:
        ValueError: there are not 68 finite points.
        OSError: the file cannot be written.
    """
    points = np.asarray(landmarks_px, dtype=np.float64)[:, :2] + 0.5
    if len(points) != 68 or not np.isfinite(points).all():
        raise ValueError(f"expected 68 finite landmarks, got {points.shape}")
    rows = "".join(f"{x:.3f} {y:.3f}\n" for x, y in points)
    with atomic_path(path) as temporary:
        temporary.write_text(
            f"version: 1\nn_points: {len(points)}\n{{\n{rows}}}\n", encoding="ascii"
        )
