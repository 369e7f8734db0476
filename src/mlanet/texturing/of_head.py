"""The texture of a face model's head in a photo."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float, Int, Int8, UInt8

from mlanet.errors import RenderError
from mlanet.morphable import MorphableModel
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.heads import PosedHead
from mlanet.texturing.folded_lids import folded, lid_planes, unfolded
from mlanet.texturing.guide import TextureGuide
from mlanet.texturing.hair.figure import HeadFigure
from mlanet.texturing.hair.long import LongHair
from mlanet.texturing.hair.strands import strand_plane
from mlanet.texturing.lids import LidPlanes, finish_lids
from mlanet.texturing.mouth_shade import MouthShade, mouth_light, shade_mouth
from mlanet.texturing.projection import MeshInPhoto, Texture, project_photos

TEXTURE_SIZES = (256, 512, 1024)
"""Texture sides in texels; the smallest that does not lose the photo's detail is taken."""

LEAST_TEXTURE, MOST_TEXTURE = 64, 4096
"""Texture sides that may be asked for."""


class TextureSource(Protocol):
    """What makes the texture and tells the hair of a person in several photos."""

    @property
    def hair(self) -> Float[np.ndarray, "v 3"]:
        """`hair_offsets` of the person."""
        ...

    @property
    def long_hair(self) -> LongHair | None:
        """`mlanet.texturing.hair.long` of the person."""
        ...

    def __call__(self, size: int | None, blank: tuple[int, int, int] | None) -> Texture:
        """Of a size (None: its own) with a colour for what is hidden (None: it is completed)."""
        ...


@dataclass(frozen=True, slots=True)
class TextureChoice:
    """Which textures files hold.

    Attributes:
        light: of meshes' textures: as the photo is lit, or with the light's brightness divided
            out; `both` is lit, and the other one as a picture beside the meshes.
        mask: whether the visibility is written, too.
        size: in texels, `LEAST_TEXTURE` to `MOST_TEXTURE`; None is the photo's own.
        detail: whether avatars have a normal map of what is finer than the mesh.
        hair: whether textured heads have hair that stands off or falls; without it, they are the
            face model's.
    """

    light: Literal["lit", "delit", "both"] = "lit"
    mask: bool = False
    size: int | None = None
    detail: bool = False
    hair: bool = True

    @property
    def has_pictures(self) -> bool:
        """Whether there are pictures beside the meshes."""
        return self.mask or self.light == "both"

    def colors(self, texture: Texture) -> UInt8[np.ndarray, "s s 3"]:
        """What meshes wear."""
        return texture.delit if self.light == "delit" else texture.image

    def pictures(self, texture: Texture) -> dict[str, np.ndarray]:
        """The pictures beside the meshes, by name."""
        pictures: dict[str, np.ndarray] = {}
        if self.light == "both":
            pictures["texture-delit"] = texture.delit
        if self.mask:
            pictures["texture-mask"] = texture.visibility
        return pictures


AS_PHOTOGRAPHED = TextureChoice()
"""What is written unless something else is wanted."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadInPhoto:
    """A photo, and where it shows a head.

    Attributes:
        image: the photo.
        head: where it shows the head, with its hair.
        before: heads of other people that may be in front of it.
        figure: which part of the photo is the person, so that hair takes no colour of what lies
            behind it; without it, all that the head covers.
    """

    image: UInt8[np.ndarray, "h w 3"]
    head: PosedHead
    before: Iterable[PosedHead] = ()
    figure: HeadFigure | None = None


def head_texture(
    photos: Sequence[HeadInPhoto],
    albedo: Float[np.ndarray, "v 3"],
    size: int,
    *,
    blank: tuple[int, int, int] | None = None,
) -> Texture:
    """The photos' colours in the texture coordinates of a head's model.

    Args:
        photos: of one person, at least one; the texture has the first one's light.
        albedo: sRGB of the head's vertices, in [0, 1], for what is hidden.
        size: in texels, `LEAST_TEXTURE` to `MOST_TEXTURE`.
        blank: colour, 0 to 255, that hidden parts get instead of being completed.

    Raises:
        RenderError: the face model has no texture coordinates, or a shape is wrong.
        ValueError: the size is out of range.
    """
    model = photos[0].head.model
    if not LEAST_TEXTURE <= size <= MOST_TEXTURE:
        raise ValueError(f"size must be {LEAST_TEXTURE} to {MOST_TEXTURE} texels, got {size}")
    if not len(model.uv):
        raise RenderError(f"the face model {model.name} has no texture coordinates")
    kept = min(size, TEXTURE_SIZES[-1])
    placed = [_placed(photo) for photo in photos]
    texture = project_photos(
        placed,
        model.mesh_of(photos[0].head.vertices),
        texture_atlas(model, kept),
        fill=albedo,
        topology=model.topology,
        symmetric=model.mirrors_modes,
        blank=blank,
        size=size,
        strands=_strands(model, kept),
    )
    if blank is None:
        share = min(folded(model, each.allowed) for each in placed if each.allowed is not None)
        for planes in _lids(model, size):
            finish_lids(texture.image, texture.visibility, planes, share)
        shade_mouth(texture.image, texture.visibility, _mouth_shades(model, size))
    return texture


def _placed(photo: HeadInPhoto) -> MeshInPhoto:
    head = photo.head
    guide = TextureGuide.of_model(head.model)
    allowed = unfolded(head.model, head.projected, head.mm_per_px)
    if photo.figure is not None and guide.hairy.any():
        hair, scalp = _scalp(head.model)
        trust = photo.figure.trust(head.projected[hair, :2])
        allowed[hair] *= 1.0 - scalp * (1.0 - trust)
    return MeshInPhoto(photo.image, head.points, head.camera, guide, photo.before, allowed)


@lru_cache(maxsize=4)
def _scalp(model: MorphableModel) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Vertices where hair may be beyond the face, and how usual it is there."""
    hairy = TextureGuide.of_model(model).hairy * (1.0 - model.region("face"))
    hair = np.flatnonzero(hairy > 0.0)
    return hair, hairy[hair]


def texture_size(side_px: float) -> int:
    """The smallest of `TEXTURE_SIZES` for a face in a square of the photo of this side."""
    return next((size for size in TEXTURE_SIZES if size >= side_px), TEXTURE_SIZES[-1])


@lru_cache(maxsize=4)
def texture_atlas(model: MorphableModel, size: int) -> UvAtlas:
    """The atlas of a face model's textures."""
    return UvAtlas.of_mesh(model.mesh_of(model.subdivide(model.shape.mean)), size)


@lru_cache(maxsize=4)
def _lids(model: MorphableModel, size: int) -> list[LidPlanes]:
    return lid_planes(model, texture_atlas(model, min(size, TEXTURE_SIZES[-1])), size)


@lru_cache(maxsize=4)
def _mouth_shades(model: MorphableModel, size: int) -> list[MouthShade]:
    import cv2

    light = mouth_light(model)
    if not len(light):
        return []
    atlas = texture_atlas(model, min(size, TEXTURE_SIZES[-1]))
    planes = vertex_attributes_to_uv(atlas, model.topology.faces, light)
    planes = cv2.resize(planes, (size, size), interpolation=cv2.INTER_LINEAR)
    shades = (MouthShade.of_light(planes[..., k]) for k in range(planes.shape[-1]))
    return [shade for shade in shades if shade is not None]


@lru_cache(maxsize=4)
def _strands(model: MorphableModel, size: int) -> Int8[np.ndarray, "s s"]:
    return strand_plane(model, texture_atlas(model, size))
