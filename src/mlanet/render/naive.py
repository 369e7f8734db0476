"""The slow and obvious rasteriser: the oracle of the fast ones."""

import math

import numpy as np
from jaxtyping import Float, Int

from mlanet.render.checks import checked_mesh, checked_size
from mlanet.render.fragments import Fragments
from mlanet.render.rules import GUARD_PX, NEAR_DEPTH_MM, SUBPIXELS
from mlanet.render.weights import surface_weights


def rasterize_naive(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    image_size: tuple[int, int],
    *,
    cull_backfaces: bool = False,
) -> Fragments:
    """What `rasterize` returns, by asking each triangle about each pixel.

    Raises:
        RenderError: a shape or index is wrong, or a vertex is not finite.
    """
    height, width = checked_size(image_size)
    points, corners = checked_mesh(vertices, faces)
    face_index = np.full((height, width), -1, dtype=np.int32)
    nearness = np.zeros((height, width), dtype=np.float32)
    for face, corner in enumerate(corners):
        triangle = points[corner]
        if (triangle[:, 2] <= NEAR_DEPTH_MM).any() or (abs(triangle[:, :2]) > GUARD_PX).any():
            continue
        xy = [(_subpixel(x), _subpixel(y)) for x, y in triangle[:, :2].tolist()]
        area = _edge(xy[0], xy[1], xy[2])
        if area == 0 or (cull_backfaces and area > 0):
            continue
        for row in range(height):
            for column in range(width):
                weights = _weights(xy, area, row, column)
                if weights is None:
                    continue
                inverse = [w / z for w, z in zip(weights, triangle[:, 2].tolist(), strict=True)]
                here = np.float32(sum(inverse) / abs(area))
                if here > nearness[row, column]:
                    nearness[row, column] = here
                    face_index[row, column] = face
    weights, depth = surface_weights(points[None], corners, face_index[None])
    return Fragments(
        face_index, weights[0].astype(np.float32), depth[0].astype(np.float32), cull_backfaces
    )


def _subpixel(position: float) -> int:
    return math.floor(position * SUBPIXELS + 0.5)


def _edge(a: tuple[int, int], b: tuple[int, int], p: tuple[int, int]) -> int:
    """Twice the area of the triangle a, b, p; positive if clockwise in a picture."""
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])


def _weights(xy: list[tuple[int, int]], area: int, row: int, column: int) -> list[int] | None:
    """The three edge functions at a pixel's centre, or nothing if it is outside."""
    centre = (column * SUBPIXELS + SUBPIXELS // 2, row * SUBPIXELS + SUBPIXELS // 2)
    weights: list[int] = []
    for k in range(3):
        start, end = xy[(k + 1) % 3], xy[(k + 2) % 3]
        if area < 0:
            start, end = end, start
        value = _edge(start, end, centre)
        left_edge = end[1] < start[1]
        top_edge = end[1] == start[1] and end[0] > start[0]
        if value < 0 or (value == 0 and not (left_edge or top_edge)):
            return None
        weights.append(value)
    return weights
