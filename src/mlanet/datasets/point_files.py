"""The 68 points of one photo, in a file of a user."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError
from mlanet.files import one_line, parsing, read_json, read_text
from mlanet.files.numpyfiles import read_npy

SUFFIXES = (".pts", ".npy", ".json")
"""Files of points, in the order in which a folder is searched."""

LARGEST_PX = 1e6
"""No picture has as many."""

_PTS = re.compile(r"\s*version:\s*1\s+n_points:\s*(\d+)\s*\{([^{}]*)\}\s*", re.IGNORECASE)


def read_points(path: Path) -> Float[np.ndarray, "68 d"]:
    """The 68 landmarks (iBUG order) of a photo in its pixels, 2 or 3 columns; NaN if not visible.

    A `.pts` file (300-W) counts pixels from one and means their centres; half a pixel is taken
    off. `.npy` and `.json` (a list of 68 points, or an object with `landmarks_px` such as the
    files that mlanet writes) hold the package's own pixels. Points of which a number is missing,
    or whose x and y are -1, are not visible.

    Raises:
        DataError: the file is missing or malformed, or does not hold 68 points.
    """
    with parsing(path, "not a file of 68 points", DataError):
        points, offset = _parse(path)
    if points.ndim != 2 or points.shape[0] != 68 or points.shape[1] not in (2, 3):
        raise DataError(f"{path}: holds numbers of shape {points.shape}, not (68, 2 or 3)")
    hidden = ~np.isfinite(points).all(axis=1) | (points[:, :2] == -1.0).all(axis=1)
    if np.abs(points[~hidden]).max(initial=0.0) > LARGEST_PX:
        raise DataError(f"{path}: a point lies beyond {LARGEST_PX:.0f} pixels, in no picture")
    points = points + np.array([offset, offset, 0.0])[: points.shape[1]]
    points[hidden] = np.nan
    return points


def _parse(path: Path) -> tuple[Float[np.ndarray, "..."], float]:
    """Numbers as they stand in the file, and what makes their x and y ours."""
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(path, DataError, "not a file of 68 points").astype(np.float64), 0.0
    if suffix == ".json":
        content = read_json(path, DataError, what="a file of 68 points")
        points = content["landmarks_px"] if isinstance(content, dict) else content
        return np.array(points, dtype=np.float64), 0.0  # null becomes NaN
    if suffix != ".pts":
        raise DataError(f"{path}: points are read from {', '.join(SUFFIXES)}")
    match = _PTS.fullmatch(read_text(path, DataError))
    if match is None:
        raise DataError(f"{path}: not a .pts file (version: 1, n_points: 68, points in braces)")
    rows = [line.split() for line in match[2].splitlines() if line.strip()]
    points = np.array(rows, dtype=np.float64)
    if len(points) != int(match[1]):
        raise DataError(f"{path}: announces {one_line(match[1])} points and holds {len(points)}")
    return points, -0.5
