"""Meshes for trimesh."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.export.corners import checked_mesh, split_at_seams
from mlanet.geometry import Mesh


def mesh_to_trimesh(mesh: Mesh, texture: UInt8[np.ndarray, "h w 3"] | None = None) -> Any:
    """The mesh as a `trimesh.Trimesh` in its own frame and unit (mm), textured or coloured.

    Vertices are doubled at seams of the texture.

    Raises:
        ValueError: the mesh or the texture is malformed.
    """
    import trimesh
    from PIL import Image
    from trimesh.visual import ColorVisuals, TextureVisuals
    from trimesh.visual.material import PBRMaterial

    checked_mesh(mesh, texture)
    split = split_at_seams(mesh)
    surface = trimesh.Trimesh(
        split.vertices, split.faces, vertex_normals=split.normals, process=False
    )
    if texture is not None:
        material = PBRMaterial(
            baseColorTexture=Image.fromarray(texture), metallicFactor=0.0, roughnessFactor=0.6
        )
        surface.visual = TextureVisuals(uv=split.uv, material=material)
    elif mesh.colors is not None:
        colors = np.rint(np.clip(mesh.colors, 0.0, 1.0) * 255.0).astype(np.uint8)
        surface.visual = ColorVisuals(surface, vertex_colors=colors[split.source])
    return surface
