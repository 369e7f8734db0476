"""Textures read at the pixels of a picture: bilinear, from reduced copies where they are far."""

import numpy as np
from array_api_compat import device, is_numpy_namespace
from jaxtyping import Float, Int

from mlanet.coefficients import Array, array_namespace
from mlanet.errors import RenderError
from mlanet.render.fragments import Fragments
from mlanet.render.sampling import signed_areas, texels_from_uv


def sample_texture(
    texture: Float[Array, "*b t s c"],
    uv: Float[Array, "*b h w 2"],
    texels_per_pixel: Float[Array, "*b h w"] | None = None,
) -> Float[Array, "*b h w c"]:
    """Colours of a texture at texture coordinates; beyond its border those of the border.

    Differentiable in the texture and in the coordinates. Where neighbouring pixels are several
    texels apart, colours come from copies halved so often that they are not, mixed between the
    two nearest sizes (Williams, "Pyramidal Parametrics", 1983).

    Args:
        texture: its first row is at v = 1; one for all pictures, or one for each.
        uv: in [0, 1], origin at the lower left.
        texels_per_pixel: distance of neighbouring pixels in texels of the whole texture, as
            `texel_distance` gives it; without it, the texture is read as it is.

    Raises:
        RenderError: the shapes do not fit each other.
    """
    if texture.ndim < 3 or uv.shape[-1] != 2 or 0 in texture.shape:
        raise RenderError(
            f"texture must be (t, s, c) and uv (h, w, 2), got {tuple(texture.shape)} and "
            f"{tuple(uv.shape)}"
        )
    if texture.ndim > 3 and tuple(texture.shape[:-3]) != tuple(uv.shape[:-3]):
        raise RenderError(
            f"texture must be (t, s, c) or one for each picture, got {tuple(texture.shape)}"
        )
    xp = array_namespace(texture, uv)
    if is_numpy_namespace(xp) and texture.ndim == 3 and uv.ndim == 3:
        return _read(texture, uv, texels_per_pixel)
    if texels_per_pixel is None:
        return _bilinear(texture, uv)
    level = xp.log2(xp.clip(texels_per_pixel, min=1.0))
    copies = [texture]
    deepest = float(xp.max(level)) if 0 not in level.shape else 0.0
    while len(copies) - 1 < deepest and max(copies[-1].shape[-3:-1]) > 1:
        copies.append(_halved(copies[-1]))
    level = xp.clip(level, max=float(len(copies) - 1))
    result = xp.zeros_like(_bilinear(copies[0][..., :1, :1, :], uv))
    for number, copy in enumerate(copies):
        share = xp.clip(1.0 - xp.abs(level - float(number)), min=0.0)
        if bool(xp.any(share > 0)):
            result = result + share[..., None] * _bilinear(copy, uv)
    return result


def _read(
    texture: Float[np.ndarray, "t s c"],
    uv: Float[np.ndarray, "h w 2"],
    texels_per_pixel: Float[np.ndarray, "h w"] | None,
) -> Float[np.ndarray, "h w c"]:
    """`sample_texture` of one picture in one loop: many times as fast."""
    from mlanet.render._numba.lookup import read_copies

    level, copies = np.zeros(uv.shape[:2], uv.dtype), [texture]
    if texels_per_pixel is not None:
        level = np.log2(np.maximum(texels_per_pixel, 1.0)).astype(uv.dtype)
        while len(copies) - 1 < level.max(initial=0.0) and max(copies[-1].shape[:2]) > 1:
            copies.append(_halved(copies[-1]))
        level = np.minimum(level, uv.dtype.type(len(copies) - 1))
    sizes = np.array([copy.shape[:2] for copy in copies])
    starts = np.cumsum([0, *sizes.prod(axis=1)[:-1]])
    channels = texture.shape[2]
    texels = np.concatenate([copy.reshape(-1, channels) for copy in copies])
    values = np.zeros((*uv.shape[:2], channels), np.result_type(texture, uv))
    read_copies(texels, starts, sizes, np.ascontiguousarray(uv), level, values)
    return values


def texel_distance(
    fragments: Fragments,
    positions_px: Float[Array, "*b v 2"],
    faces: Int[Array, "f 3"],
    texels: Float[Array, "t 2"],
    uv_faces: Int[Array, "f 3"],
) -> Float[Array, "*b h w"]:
    """How many texels neighbouring pixels are apart, by the areas of the triangle seen there.

    Without gradients; 1 where nothing is seen. Triangles that are almost edge-on count as if they
    covered a hundredth of a pixel for each texel.
    """
    xp = array_namespace(positions_px)
    found = fragments.face_index
    if not faces.shape[0] or not found.shape[0]:
        return xp.ones(found.shape, dtype=positions_px.dtype, device=device(positions_px))
    in_picture = xp.abs(signed_areas(positions_px, faces))
    in_texture = xp.abs(signed_areas(texels, uv_faces))
    ratio = xp.sqrt(in_texture / xp.clip(in_picture, min=1e-12))
    ratio = xp.clip(ratio, max=100.0)
    face = xp.where(found >= 0, found, 0)
    if ratio.ndim == 1:
        values = xp.take(ratio, xp.reshape(face, (-1,)), axis=0)
    else:
        batch, count = ratio.shape
        offset = xp.reshape(xp.arange(batch, device=device(ratio)) * count, (-1, 1, 1))
        values = xp.take(xp.reshape(ratio, (-1,)), xp.reshape(face + offset, (-1,)), axis=0)
    return xp.where(found >= 0, xp.reshape(values, found.shape), xp.ones_like(values[0]))


def _halved(texture: Float[Array, "*b t s c"]) -> Float[Array, "*b u r c"]:
    """Half as many rows and columns, rounded up: means over equal areas."""
    xp = array_namespace(texture)
    for axis in (-3, -2):
        size = texture.shape[axis]
        lines = xp.moveaxis(texture, axis, -1)
        if size % 2 == 0:
            lines = (lines[..., 0::2] + lines[..., 1::2]) / 2.0
        elif size > 1:
            shares = _equal_parts(size, (size + 1) // 2)
            shares = xp.asarray(shares, dtype=texture.dtype, device=device(texture))
            lines = xp.matmul(lines, shares)
        texture = xp.moveaxis(lines, -1, axis)
    return texture


def _equal_parts(size: int, parts: int) -> Float[np.ndarray, "s p"]:
    """How much of each of `parts` equal parts of a line each of its `size` texels covers."""
    length = size / parts
    start, end = np.arange(parts) * length, (np.arange(parts) + 1) * length
    texel = np.arange(size)[:, None]
    return np.clip(np.minimum(end, texel + 1) - np.maximum(start, texel), 0.0, None) / length


def _bilinear(texture: Float[Array, "*b t s c"], uv: Float[Array, "*b h w 2"]) -> Array:
    xp = array_namespace(texture, uv)
    height, width, channels = texture.shape[-3:]
    texels = texels_from_uv(uv, (height, width))
    x = xp.clip(texels[..., 0] - 0.5, 0.0, float(width - 1))
    y = xp.clip(texels[..., 1] - 0.5, 0.0, float(height - 1))
    left = xp.clip(xp.astype(xp.floor(x), xp.int64), 0, max(width - 2, 0))
    top = xp.clip(xp.astype(xp.floor(y), xp.int64), 0, max(height - 2, 0))
    dx, dy = (x - xp.astype(left, x.dtype))[..., None], (y - xp.astype(top, y.dtype))[..., None]
    base = top * width + left
    if texture.ndim > 3:
        picture = xp.arange(texture.shape[0], device=device(texture)) * (height * width)
        base = base + xp.reshape(picture, (-1, 1, 1))
    flat = xp.reshape(texture, (-1, channels))

    def read(offset: int) -> Array:
        found = xp.take(flat, xp.reshape(base + offset, (-1,)), axis=0)
        return xp.reshape(found, (*base.shape, channels))

    right, below = (1 if width > 1 else 0), (width if height > 1 else 0)
    upper = read(0) * (1.0 - dx) + read(right) * dx
    lower = read(below) * (1.0 - dx) + read(below + right) * dx
    return upper * (1.0 - dy) + lower * dy
