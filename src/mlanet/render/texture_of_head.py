"""The texture of a face model's head in a photo."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import RenderError
from mlanet.morphable import MorphableModel
from mlanet.render.atlas import UvAtlas
from mlanet.render.heads import PosedHead
from mlanet.render.texture import Texture, project_texture
from mlanet.render.texture_guide import TextureGuide

TEXTURE_SIZES = (256, 512, 1024)
"""Texture sides in texels; the smallest that does not lose the photo's detail is taken."""

LEAST_TEXTURE, MOST_TEXTURE = 64, 4096
"""Texture sides that may be asked for."""


def head_texture(
    image: UInt8[np.ndarray, "h w 3"],
    head: PosedHead,
    albedo: Float[np.ndarray, "v 3"],
    size: int,
    *,
    before: Iterable[PosedHead] = (),
    blank: tuple[int, int, int] | None = None,
) -> Texture:
    """The photo's colours in the texture coordinates of a head's model.

    Args:
        image: the photo.
        head: where the photo shows the head.
        albedo: sRGB of its vertices, in [0, 1], for what is hidden.
        size: in texels, `LEAST_TEXTURE` to `MOST_TEXTURE`.
        before: heads of other people that the photo may show in front of it.
        blank: colour, 0 to 255, that hidden parts get instead of being completed.

    Raises:
        RenderError: the face model has no texture coordinates, or a shape is wrong.
        ValueError: the size is out of range.
    """
    model = head.model
    if not LEAST_TEXTURE <= size <= MOST_TEXTURE:
        raise ValueError(f"size must be {LEAST_TEXTURE} to {MOST_TEXTURE} texels, got {size}")
    if not len(model.uv):
        raise RenderError(f"the face model {model.name} has no texture coordinates")
    kept = size <= TEXTURE_SIZES[-1]
    return project_texture(
        image,
        head.points,
        model.mesh_of(head.vertices),
        head.camera,
        _kept_atlas(model, size) if kept else _atlas(model, size),
        fill=albedo,
        guide=TextureGuide.of_model(model),
        topology=model.topology,
        symmetric=model.mirrors_modes,
        before=before,
        blank=blank,
    )


def texture_size(side_px: float) -> int:
    """The smallest of `TEXTURE_SIZES` for a face in a square of the photo of this side."""
    return next((size for size in TEXTURE_SIZES if size >= side_px), TEXTURE_SIZES[-1])


def _atlas(model: MorphableModel, size: int) -> UvAtlas:
    return UvAtlas.of_mesh(model.mesh_of(model.subdivide(model.shape.mean)), size)


_kept_atlas = lru_cache(maxsize=4)(_atlas)
