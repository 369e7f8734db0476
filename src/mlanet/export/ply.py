"""Binary PLY with vertex colours."""

import os

import numpy as np

from mlanet.export.corners import checked_mesh
from mlanet.files import atomic_path
from mlanet.geometry import Mesh


def write_ply(path: str | os.PathLike[str], mesh: Mesh) -> None:
    """Write vertices (mm), triangles and colours (8-bit sRGB) as a little-endian binary PLY.

    Vertices keep their order and number; texture coordinates are left out.

    Raises:
        ValueError: the mesh is malformed.
        OSError: the file cannot be written.
    """
    import trimesh
    from trimesh.visual import ColorVisuals

    checked_mesh(mesh)
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    if mesh.colors is not None:
        colors = np.rint(np.clip(mesh.colors, 0.0, 1.0) * 255.0).astype(np.uint8)
        surface.visual = ColorVisuals(surface, vertex_colors=colors)
    with atomic_path(path) as temporary:
        surface.export(temporary, file_type="ply")
