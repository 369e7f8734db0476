"""Arguments that compiled loops may trust."""

import numpy as np
from array_api_compat import array_namespace
from jaxtyping import Float, Int

from mlanet.coefficients import Array
from mlanet.errors import RenderError

NEAR_DEPTH_MM = 1e-3
"""Triangles with a vertex at or behind this depth are dropped, not clipped."""

GUARD_PX = 2.0**21
"""Triangles with a vertex farther from the picture's corner are dropped (64-bit overflow)."""


def as_batch(array: Array, rank: int) -> Array:
    """An array of `rank` axes as a batch of one; a batch as it is."""
    return array[None] if array.ndim == rank else array


def checked_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width, both at least one pixel.

    Raises:
        RenderError: they are not.
    """
    height, width = (int(side) for side in image_size)
    if height < 1 or width < 1:
        raise RenderError(f"image_size must be at least 1 x 1 pixel, got {height} x {width}")
    return height, width


def check_vertices(vertices: Float[Array, "*b v 3"]) -> None:
    """See that there is one set of vertices or a batch of sets, of finite floats.

    A vertex behind the camera has no position in the picture: only its depth must be finite.

    Raises:
        RenderError: a shape is wrong or a vertex is not finite.
    """
    xp = array_namespace(vertices)
    if vertices.ndim not in (2, 3) or vertices.shape[-1] != 3:
        raise RenderError(f"vertices must be (v, 3) or (b, v, 3), got {tuple(vertices.shape)}")
    finite = xp.isfinite(vertices)
    if bool(xp.all(finite)):
        return
    depth = vertices[..., 2:]
    behind = xp.isfinite(depth) & (depth <= NEAR_DEPTH_MM)
    good = xp.all(finite | behind, axis=-1)
    if not bool(xp.all(good)):
        first = int(xp.argmax(xp.astype(~xp.reshape(good, (-1,)), xp.int32)))
        image, vertex = divmod(first, int(vertices.shape[-2]))
        where = f" of image {image}" if vertices.ndim == 3 else ""
        raise RenderError(f"vertices must be finite; vertex {vertex}{where} is not")


def check_faces(faces: Int[Array, "f k"], count: int, what: str = "vertices") -> None:
    """See that triangles index `count` elements.

    Raises:
        RenderError: a shape, a type or an index is wrong.
    """
    xp = array_namespace(faces)
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise RenderError(f"faces must be (f, 3), got {tuple(faces.shape)}")
    if not xp.isdtype(faces.dtype, "integral"):
        raise RenderError(f"faces must be integers, got {faces.dtype}")
    if faces.shape[0]:
        low, high = int(xp.min(faces)), int(xp.max(faces))
        if low < 0 or high >= count:
            raise RenderError(f"faces must index {count} {what}, got {low} to {high}")


def checked_mesh(
    vertices: Float[np.ndarray, "*b v 3"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Float[np.ndarray, "*b v 3"], Int[np.ndarray, "f 3"]]:
    """Contiguous float64 vertices and int32 faces.

    Raises:
        RenderError: a shape or index is wrong, or a vertex is not finite.
    """
    points = np.ascontiguousarray(vertices, dtype=np.float64)
    check_vertices(points)
    corners = np.asarray(faces)
    check_faces(corners, points.shape[-2])
    return points, np.ascontiguousarray(corners, dtype=np.int32)
