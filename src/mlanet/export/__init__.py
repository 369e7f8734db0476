"""Meshes to files of common formats, written whole or not at all."""

from mlanet.export.animation import Animation
from mlanet.export.avatar import can_be_avatar, identity_offsets, write_avatar
from mlanet.export.avatar_file import AvatarFile, read_avatar
from mlanet.export.blender import write_blender_camera
from mlanet.export.corners import SplitMesh, split_at_seams
from mlanet.export.cut import cut_mesh, face_height
from mlanet.export.formats import (
    DEFAULT_FORMATS,
    FORMATS,
    AvatarShape,
    Extent,
    FaceContent,
    FileFormat,
    check_formats,
    needs_texture,
    write_formats,
)
from mlanet.export.glb import write_glb
from mlanet.export.hair import HairPart
from mlanet.export.in_trimesh import mesh_to_trimesh
from mlanet.export.obj import write_obj
from mlanet.export.placement import PhotoPlacement, rounded
from mlanet.export.ply import write_ply
from mlanet.export.pts import write_pts
from mlanet.export.usdz import write_usdz

__all__ = [
    "DEFAULT_FORMATS",
    "FORMATS",
    "Animation",
    "AvatarFile",
    "AvatarShape",
    "Extent",
    "FaceContent",
    "FileFormat",
    "HairPart",
    "PhotoPlacement",
    "SplitMesh",
    "can_be_avatar",
    "check_formats",
    "cut_mesh",
    "face_height",
    "identity_offsets",
    "mesh_to_trimesh",
    "needs_texture",
    "read_avatar",
    "rounded",
    "split_at_seams",
    "write_avatar",
    "write_blender_camera",
    "write_formats",
    "write_glb",
    "write_obj",
    "write_ply",
    "write_pts",
    "write_usdz",
]
