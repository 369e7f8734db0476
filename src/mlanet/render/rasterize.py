"""Which triangle each pixel sees: the NumPy side of the compiled rasteriser."""

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import RenderError
from mlanet.render.fragments import Fragments

SUBPIXELS = 256
"""Positions are rounded to 1/256 px; inside or outside is then decided in integers."""

NEAR_DEPTH_MM = 1e-3
"""Triangles with a vertex at or behind this depth are dropped, not clipped."""

GUARD_PX = 2.0**21
"""Triangles with a vertex farther from the picture's corner are dropped (64-bit overflow)."""


def rasterize(
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
    image_size: tuple[int, int],
    *,
    cull_backfaces: bool = False,
) -> Fragments:
    """The nearest triangle at each pixel's centre.

    A pixel belongs to a triangle if its centre lies inside, or on a top or left edge, of the
    triangle with its corners rounded to 1/256 px: of two triangles that share an edge exactly
    one owns a centre on it. Of several triangles the nearest is seen; at equal depth (in
    float32) the one of the lowest index. Degenerate triangles are never seen.

    Args:
        vertices: x, y in pixels and depth in mm, as `Camera.project` returns them.
        faces: corners, counter-clockwise seen from outside.
        image_size: height and width in pixels.
        cull_backfaces: leave out triangles seen from inside.

    Raises:
        RenderError: a shape or index is wrong, or a vertex is not finite.
    """
    height, width = checked_size(image_size)
    points, corners = checked_mesh(vertices, faces)
    face_index = np.full((height, width), -1, dtype=np.int32)
    barycentric = np.zeros((height, width, 3), dtype=np.float32)
    depth = np.zeros((height, width), dtype=np.float32)
    if len(corners):
        from mlanet.render import _numba

        _numba.nearest_faces(points, corners, cull_backfaces, NEAR_DEPTH_MM, GUARD_PX, face_index)
        _numba.weights_of_faces(points, corners, face_index, barycentric, depth)
    return Fragments(face_index, barycentric, depth)


def checked_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width, both at least one pixel.

    Raises:
        RenderError: they are not.
    """
    height, width = (int(side) for side in image_size)
    if height < 1 or width < 1:
        raise RenderError(f"image_size must be at least 1 x 1 pixel, got {height} x {width}")
    return height, width


def checked_mesh(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Contiguous float64 vertices and int32 faces that the compiled loops may trust.

    Raises:
        RenderError: a shape or index is wrong, or a vertex is not finite. A vertex behind the
            camera has no position in the picture: only its depth must be finite.
    """
    points = np.ascontiguousarray(vertices, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3:
        raise RenderError(f"vertices must be (v, 3), got {points.shape}")
    if not np.isfinite(points).all():
        bad = ~np.isfinite(points)
        bad[:, :2] &= ~(points[:, 2:] <= NEAR_DEPTH_MM)
        if bad.any():
            raise RenderError(f"vertices must be finite; vertex {bad.any(1).argmax()} is not")
    corners = np.asarray(faces)
    if corners.ndim != 2 or corners.shape[1] != 3:
        raise RenderError(f"faces must be (f, 3), got {corners.shape}")
    if corners.dtype.kind not in "iu":
        raise RenderError(f"faces must be integers, got {corners.dtype}")
    if corners.size and (corners.min() < 0 or corners.max() >= len(points)):
        raise RenderError(
            f"faces must index {len(points)} vertices, got {corners.min()} to {corners.max()}"
        )
    return points, np.ascontiguousarray(corners, dtype=np.int32)
