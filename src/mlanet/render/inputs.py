"""What a renderer may be given."""

from typing import Any

import numpy as np
from array_api_compat import is_numpy_array, is_torch_array
from jaxtyping import Float

from mlanet.coefficients import Array, array_namespace
from mlanet.errors import RenderError
from mlanet.render.checks import check_indices, is_finite
from mlanet.render.weights import without_gradient


def check_input(
    value: Array | None,
    name: str,
    shape: tuple[int | str, ...],
    points: Float[Array, "*b v 3"],
) -> None:
    """See that an argument is of floats, finite, of a shape, and lies where the vertices do.

    Args:
        value: the argument; None is left out.
        name: what the message calls it.
        shape: of one picture; a string is any length. A batch may have one for each picture.
        points: the vertices, of one picture or a batch.

    Raises:
        RenderError: it is not.
    """
    if value is None:
        return
    if is_torch_array(points) != is_torch_array(value) or not (
        is_torch_array(value) or is_numpy_array(value)
    ):
        kind = "a tensor" if is_torch_array(points) else "an array"
        raise RenderError(f"{name} must be {kind}, as the vertices, got {type(value).__name__}")
    if is_torch_array(value) and value.device != points.device:
        raise RenderError(f"{name} must be on {points.device}, got {value.device}")
    found, lead = tuple(value.shape), tuple(points.shape[:-2])
    rank = len(shape)
    fits = len(found) >= rank and all(
        isinstance(want, str) or want == have
        for want, have in zip(shape, found[-rank:], strict=True)
    )
    if not fits or found[:-rank] not in ((), lead):
        expected = ", ".join(map(str, (*lead, *shape)))
        raise RenderError(f"{name} must be ({expected}), got {found}")
    if not array_namespace(value).isdtype(value.dtype, "real floating"):
        raise RenderError(f"{name} must be floats, in [0, 1] for colours, got {value.dtype}")
    if not is_finite(without_gradient(value)):
        raise RenderError(f"{name} must be finite")


def as_one_batch(points: Float[Array, "*b v 3"], value: Array) -> Array:
    """Attributes of vertices with the batch axis of the points."""
    if value.ndim == points.ndim:
        return value
    return array_namespace(value).broadcast_to(value, (points.shape[0], *value.shape))


def check_uv(uv: Any, uv_faces: Any, num_faces: int, num_vertices: int) -> None:
    """See that texture coordinates and their corners fit the triangles.

    Raises:
        RenderError: they do not.
    """
    if uv is None:
        raise RenderError("texture needs uv")
    shape = tuple(uv.shape)
    if len(shape) != 2 or shape[1] != 2 or not np.isfinite(np.asarray(uv)).all():
        raise RenderError(f"uv must be (t, 2) finite numbers, got {shape}")
    if uv_faces is None:
        if shape[0] != num_vertices:
            raise RenderError(f"uv must be ({num_vertices}, 2) without uv_faces, got {shape}")
    elif tuple(uv_faces.shape) != (num_faces, 3):
        raise RenderError(f"uv_faces must be ({num_faces}, 3), got {tuple(uv_faces.shape)}")
    else:
        check_indices(uv_faces, 3, shape[0], "uv_faces", "texture coordinates")
