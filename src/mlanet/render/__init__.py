"""Meshes to pictures, with gradients for tensors, and pictures to textures, without a GPU."""

from mlanet.morphable import FACE_REGIONS
from mlanet.render.antialias import antialias
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.attributes import interpolate, viewer_normals
from mlanet.render.detail import detail_normals
from mlanet.render.drawing import composite, render_mesh
from mlanet.render.fragments import Fragments
from mlanet.render.hair import hair_offsets
from mlanet.render.head_figure import HeadFigure
from mlanet.render.heads import PosedHead, UnbuiltHead, far_to_near, mm_per_px
from mlanet.render.long_hair import LongHair, long_hair
from mlanet.render.lookup import sample_texture, texel_distance
from mlanet.render.naive import rasterize_naive
from mlanet.render.parts import PART_COLORS, PartMasks, face_mask, part_masks
from mlanet.render.pictures import (
    OVERLAY_OPACITY,
    PICTURES,
    draw_crowd,
    draw_overlay,
    draw_picture,
)
from mlanet.render.pose_box import AXIS_COLORS
from mlanet.render.rasterize import rasterize
from mlanet.render.renderer import Renderer, Rendering
from mlanet.render.sampling import sample_image
from mlanet.render.shade import ambient_light, headlight, shade
from mlanet.render.texture import MeshInPhoto, Texture, project_photos, project_texture
from mlanet.render.texture_guide import TextureGuide
from mlanet.render.texture_of_head import (
    AS_PHOTOGRAPHED,
    LEAST_TEXTURE,
    MOST_TEXTURE,
    HeadInPhoto,
    TextureChoice,
    TextureSource,
    head_texture,
    texture_size,
)
from mlanet.render.texture_transfer import TexturedMesh, transfer_texture

__all__ = [
    "AS_PHOTOGRAPHED",
    "AXIS_COLORS",
    "FACE_REGIONS",
    "LEAST_TEXTURE",
    "MOST_TEXTURE",
    "OVERLAY_OPACITY",
    "PART_COLORS",
    "PICTURES",
    "Fragments",
    "HeadFigure",
    "HeadInPhoto",
    "LongHair",
    "MeshInPhoto",
    "PartMasks",
    "PosedHead",
    "Renderer",
    "Rendering",
    "Texture",
    "TextureChoice",
    "TextureGuide",
    "TextureSource",
    "TexturedMesh",
    "UnbuiltHead",
    "UvAtlas",
    "ambient_light",
    "antialias",
    "composite",
    "detail_normals",
    "draw_crowd",
    "draw_overlay",
    "draw_picture",
    "face_mask",
    "far_to_near",
    "hair_offsets",
    "head_texture",
    "headlight",
    "interpolate",
    "long_hair",
    "mm_per_px",
    "part_masks",
    "project_photos",
    "project_texture",
    "rasterize",
    "rasterize_naive",
    "render_mesh",
    "sample_image",
    "sample_texture",
    "shade",
    "texel_distance",
    "texture_size",
    "transfer_texture",
    "vertex_attributes_to_uv",
    "viewer_normals",
]
