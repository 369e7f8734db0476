"""Meshes to files of common formats, written whole or not at all."""

from mlanet.export.corners import SplitMesh, split_at_seams
from mlanet.export.glb import write_glb
from mlanet.export.obj import write_obj
from mlanet.export.ply import write_ply

__all__ = ["SplitMesh", "split_at_seams", "write_glb", "write_obj", "write_ply"]
