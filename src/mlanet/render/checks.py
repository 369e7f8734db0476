"""Arguments that compiled loops may trust."""

from typing import Literal, TypeAlias, get_args

import numpy as np
from jaxtyping import Float, Int

from mlanet.coefficients import Array, array_namespace
from mlanet.errors import RenderError
from mlanet.render.rules import NEAR_DEPTH_MM

Backend: TypeAlias = Literal["numba", "torch"]


def check_backend(backend: str | None) -> None:
    """See that there is such a backend.

    Raises:
        RenderError: there is none.
    """
    if backend not in (None, *get_args(Backend)):
        raise RenderError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")


def as_points(vertices: Float[np.ndarray, "v 3"]) -> Float[np.ndarray, "v 3"]:
    """Vertices of one picture as the loops read them: contiguous, in double precision."""
    return np.ascontiguousarray(vertices, dtype=np.float64)


def as_batch(array: Array, rank: int) -> Array:
    """An array of `rank` axes as a batch of one; a batch as it is."""
    return array[None] if array.ndim == rank else array


def checked_size(image_size: tuple[int, int]) -> tuple[int, int]:
    """Height and width, both whole numbers of at least one pixel.

    Raises:
        RenderError: they are not.
    """
    height, width = (int(side) for side in image_size)
    if height < 1 or width < 1 or (height, width) != tuple(image_size):
        raise RenderError(f"image_size must be at least 1 x 1 pixel, got {tuple(image_size)}")
    return height, width


def checked_threads(threads: int | None, otherwise: int) -> int:
    """A number of threads.

    Raises:
        RenderError: it is not positive.
    """
    if threads is not None and threads < 1:
        raise RenderError(f"threads must be positive, got {threads}")
    return otherwise if threads is None else threads


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


def check_indices(
    indices: Int[Array, "n k"], width: int, count: int, name: str, what: str, least: int = 0
) -> None:
    """See that rows of `width` whole numbers index `count` elements.

    Raises:
        RenderError: a shape, a type or an index is wrong; the message calls them `name` and
            `what`.
    """
    xp = array_namespace(indices)
    if indices.ndim != 2 or indices.shape[1] != width:
        letter = name[0]
        raise RenderError(f"{name} must be ({letter}, {width}), got {tuple(indices.shape)}")
    if not xp.isdtype(indices.dtype, "integral"):
        raise RenderError(f"{name} must be integers, got {indices.dtype}")
    if indices.shape[0]:
        low, high = int(xp.min(indices)), int(xp.max(indices))
        if low < least or high >= count:
            raise RenderError(f"{name} must index {count} {what}, got {low} to {high}")


def check_faces(faces: Int[Array, "f 3"], count: int, what: str = "vertices") -> None:
    """See that triangles index `count` elements.

    Raises:
        RenderError: a shape, a type or an index is wrong.
    """
    check_indices(faces, 3, count, "faces", what)


def check_edges(edges: Int[Array, "e 4"], count: int) -> None:
    """See that edges with their opposite corners index `count` vertices; -1 only in the last.

    Raises:
        RenderError: a shape, a type or an index is wrong.
    """
    check_indices(edges, 4, count, "edges", "vertices", least=-1)
    check_indices(edges[:, :3], 3, count, "edges", "vertices")


def is_finite(array: Array) -> bool:
    """Whether every number is finite; by their sum, which is quicker than a look at each."""
    xp = array_namespace(array)
    return bool(xp.isfinite(xp.sum(array)))


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
