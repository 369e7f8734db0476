"""Meshes to pictures and pictures to textures, on the CPU."""

from mlanet.render.atlas import UvAtlas, vertex_attributes_to_uv
from mlanet.render.carry import TexturedMesh, carry_textured
from mlanet.render.fragments import Fragments
from mlanet.render.naive import rasterize_naive
from mlanet.render.rasterize import rasterize
from mlanet.render.sampling import sample_image
from mlanet.render.shade import (
    Rendering,
    composite,
    headlight,
    interpolate,
    render_mesh,
    shade_vertices,
    viewer_normals,
)
from mlanet.render.texture import Texture, project_texture

__all__ = [
    "Fragments",
    "Rendering",
    "Texture",
    "TexturedMesh",
    "UvAtlas",
    "carry_textured",
    "composite",
    "headlight",
    "interpolate",
    "project_texture",
    "rasterize",
    "rasterize_naive",
    "render_mesh",
    "sample_image",
    "shade_vertices",
    "vertex_attributes_to_uv",
    "viewer_normals",
]
