"""The surface of a head as seen from an upright axis within: distances by height and angle."""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.morphable import MorphableModel
from mlanet.render.fragments import Fragments
from mlanet.render.rasterize import rasterize

AXIS_Z_MM = -15.0
"""Distance of the upright axis before the ears'."""

DEG_PER_COLUMN, MM_PER_ROW = 3.0, 3.0
MAP_DEG, MAP_TOP_MM, MAP_BOTTOM_MM = 165.0, 84.0, -186.0
"""Of the map of the head's distances from the axis."""

MOST_DEG = 162.0
"""Faces that reach farther forward are left out: they may go from one end to the other."""

AROUND = 5, 5
"""Rows and columns of the map that count as near by."""

FAR_MM = 1000.0


def seen_from_axis(
    model: MorphableModel,
    vertices: Float[np.ndarray, "v 3"],
    heights: tuple[float, float],
    cell: tuple[float, float],
) -> tuple[Fragments, Bool[np.ndarray, "f"]]:
    """What is farthest from the axis, by height and angle, and which faces were drawn.

    Args:
        model: the face model.
        vertices: of its surface.
        heights: of the upper and lower border of the map, mm.
        cell: degrees of a column, mm of a row.
    """
    x, z = vertices[:, 0], AXIS_Z_MM - vertices[:, 2]
    degrees = np.degrees(np.arctan2(x, z))
    column, row = (degrees + MAP_DEG) / cell[0], (heights[0] - vertices[:, 1]) / cell[1]
    size = round((heights[0] - heights[1]) / cell[1]), round(2.0 * MAP_DEG / cell[0])
    a, b, c = _corners(model)
    before = np.abs(degrees) > MOST_DEG
    within = (row > 0.0) & (row < size[0])
    near = (within[a] | within[b] | within[c]) & ~(before[a] | before[b] | before[c])
    points = np.column_stack([column, row, FAR_MM - np.hypot(x, z)])
    return rasterize(points, model.topology.faces[near], size), near


@lru_cache(maxsize=4)
def _corners(model: MorphableModel) -> Int[np.ndarray, "3 f"]:
    return np.ascontiguousarray(model.topology.faces.T, dtype=np.intp)


def distances_of(
    model: MorphableModel, vertices: Float[np.ndarray, "v 3"]
) -> Float[np.ndarray, "h a"]:
    """A map of the surface's largest distance from the axis, mm, by height and angle."""
    borders, cell = (MAP_TOP_MM, MAP_BOTTOM_MM), (DEG_PER_COLUMN, MM_PER_ROW)
    depth = seen_from_axis(model, vertices, borders, cell)[0].depth
    return np.where(depth > 0.0, FAR_MM - depth, 0.0).astype(np.float32)


def around(distances: Float[np.ndarray, "h a"]) -> Float[np.ndarray, "h a"]:
    """The largest distance near by: what is finer than the grid, as ears, must not stick out."""
    import cv2

    return cv2.dilate(distances, np.ones(AROUND, np.uint8))


def looked_up(
    distances: Float[np.ndarray, "h a"],
    degrees: Float[np.ndarray, "*k"],
    heights: Float[np.ndarray, "*k"],
) -> Float[np.ndarray, "*k"]:
    """A map's values at angles from the back and heights."""
    import cv2

    shape = np.shape(degrees)
    x = (np.asarray(degrees, np.float32) + MAP_DEG) / DEG_PER_COLUMN - 0.5
    y = (MAP_TOP_MM - np.asarray(heights, np.float32)) / MM_PER_ROW - 0.5
    x, y = np.atleast_2d(x), np.atleast_2d(y)
    return cv2.remap(distances, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).reshape(
        shape
    )
