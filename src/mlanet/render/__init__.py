"""Meshes to pictures, with gradients for tensors, without a GPU."""

from mlanet.morphable import FACE_REGIONS
from mlanet.render.antialias import antialias
from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.attributes import interpolate, viewer_normals
from mlanet.render.drawing import composite, render_mesh
from mlanet.render.fragments import Fragments
from mlanet.render.heads import PosedHead, UnbuiltHead, far_to_near, mm_per_px
from mlanet.render.lookup import sample_texture, texel_distance
from mlanet.render.naive import rasterize_naive
from mlanet.render.parts import PART_COLORS, PartMasks, face_mask, part_masks
from mlanet.render.pictures import (
    OF_SURFACE,
    OVERLAY_OPACITY,
    PICTURES,
    draw_overlay,
    draw_picture,
)
from mlanet.render.pose_box import AXIS_COLORS
from mlanet.render.rasterize import rasterize
from mlanet.render.renderer import Renderer, Rendering
from mlanet.render.sampling import sample_image
from mlanet.render.shade import ambient_light, key_light, shade

__all__ = [
    "AXIS_COLORS",
    "FACE_REGIONS",
    "OF_SURFACE",
    "OVERLAY_OPACITY",
    "PART_COLORS",
    "PICTURES",
    "Fragments",
    "PartMasks",
    "PosedHead",
    "Renderer",
    "Rendering",
    "UnbuiltHead",
    "UvAtlas",
    "ambient_light",
    "antialias",
    "composite",
    "draw_overlay",
    "draw_picture",
    "face_mask",
    "far_to_near",
    "interpolate",
    "key_light",
    "mm_per_px",
    "part_masks",
    "rasterize",
    "rasterize_naive",
    "render_mesh",
    "sample_image",
    "sample_texture",
    "shade",
    "texel_distance",
    "vertex_attributes_to_uv",
    "viewer_normals",
]
