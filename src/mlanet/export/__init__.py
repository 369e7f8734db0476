"""Meshes to files of common formats, written whole or not at all."""

from mlanet.export.animation import Animation
from mlanet.export.avatar import can_be_avatar, write_avatar
from mlanet.export.corners import SplitMesh, split_at_seams
from mlanet.export.glb import write_glb
from mlanet.export.in_trimesh import mesh_to_trimesh
from mlanet.export.obj import write_obj
from mlanet.export.ply import write_ply

__all__ = [
    "Animation",
    "SplitMesh",
    "can_be_avatar",
    "mesh_to_trimesh",
    "split_at_seams",
    "write_avatar",
    "write_glb",
    "write_obj",
    "write_ply",
]
