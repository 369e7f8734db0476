"""Photos to textures of heads, completed where nothing is seen, and to their hair."""

from mlanet.texturing.detail import detail_normals
from mlanet.texturing.guide import TextureGuide
from mlanet.texturing.hair.figure import HeadFigure
from mlanet.texturing.hair.long import LongHair, long_hair
from mlanet.texturing.hair.relief import hair_offsets
from mlanet.texturing.of_head import (
    AS_PHOTOGRAPHED,
    LEAST_TEXTURE,
    MOST_TEXTURE,
    HeadInPhoto,
    TextureChoice,
    TextureSource,
    head_texture,
    texture_size,
)
from mlanet.texturing.projection import MeshInPhoto, Texture, project_photos, project_texture
from mlanet.texturing.transfer import TexturedMesh, transfer_texture

__all__ = [
    "AS_PHOTOGRAPHED",
    "LEAST_TEXTURE",
    "MOST_TEXTURE",
    "HeadFigure",
    "HeadInPhoto",
    "LongHair",
    "MeshInPhoto",
    "Texture",
    "TextureChoice",
    "TextureGuide",
    "TextureSource",
    "TexturedMesh",
    "detail_normals",
    "hair_offsets",
    "head_texture",
    "long_hair",
    "project_photos",
    "project_texture",
    "texture_size",
    "transfer_texture",
]
