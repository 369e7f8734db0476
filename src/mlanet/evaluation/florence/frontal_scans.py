"""A frontal scan of MICC Florence and its landmarks, which the data set does not hold."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError
from mlanet.evaluation.florence.scan_landmarks import MM_OF_EYES, find_start_points
from mlanet.evaluation.scans.known_heads import read_ljson
from mlanet.evaluation.surfaces.face_shape import NOSE_TIP, OUTER_EYES, START_POINTS
from mlanet.evaluation.surfaces.mesh_folder import merged_vertices
from mlanet.files import list_files
from mlanet.image import read_image
from mlanet.metrics import Surface
from mlanet.morphable.readers.wavefront import ObjMesh, read_obj
from mlanet.reconstructor import Reconstructor

TEXTURES = (".jpg", ".jpeg", ".png", ".bmp")
LANDMARKS = ".ljson"
"""Ending of a file beside the OBJ file, of the same name, with a scan's 68 landmarks."""

OFF_SURFACE_MM = 15.0
"""Landmarks of a file that lie farther from the scan belong to another one."""

PLACE_DEPTH = 5
"""Parts of `subject_XX/Model/frontal1/obj/NAME.obj`."""


@dataclass(frozen=True, slots=True, eq=False)
class FlorenceScan:
    """A frontal scan, and where alignment with it starts.

    Attributes:
        file: of the scan, within the data set.
        source: of the points: `file` if a landmark file lies beside the scan, else `network`.
        points: `START_POINTS`, mm, the scan's frame.
        surface: mm.
    """

    file: str
    source: Literal["file", "network"]
    points: Float[np.ndarray, "9 3"]
    surface: Surface

    @property
    def nose_tip(self) -> Float[np.ndarray, "3"]:
        """Middle of the crop, mm."""
        return self.points[START_POINTS.index(NOSE_TIP)]

    @property
    def interocular_mm(self) -> float:
        """Distance of the outer corners of the eyes."""
        return interocular_mm(self.points)


def interocular_mm(points: Float[np.ndarray, "9 3"]) -> float:
    """Distance of the outer corners of the eyes, of `START_POINTS` in mm."""
    right, left = (points[START_POINTS.index(k)] for k in OUTER_EYES)
    return float(np.linalg.norm(left - right))


def read_scan(path: Path, annotator: Reconstructor) -> FlorenceScan:
    """A frontal scan with start points from the landmark file beside it, or else a network's.

    The landmark file has the OBJ file's name and ends in `.ljson` (menpo, 68 points, mm). Without
    it, the scan is drawn with its texture, the one picture beside the OBJ file, or as clay.
    Vertices at one place are joined: seams of the texture are no borders of the surface. The
    annotator finds the start points; it is not what is evaluated.

    Raises:
        DataError: no face is found in it, or a number is not finite, or the landmarks of the file
            are not the scan's, or the unit is not mm.
        AssetError: the OBJ file is malformed.
        ImageError: the texture is.
    """
    mesh = read_obj(path)
    if not np.isfinite(mesh.vertices).all():
        raise DataError(f"{path}: a vertex is not finite")
    vertices, faces, kept = merged_vertices(mesh.vertices, mesh.faces)
    uv_faces = None if mesh.uv_faces is None else mesh.uv_faces[kept]
    mesh, surface = ObjMesh(vertices, faces, mesh.uv, uv_faces), Surface(vertices, faces)
    file = Path(*path.parts[-PLACE_DEPTH:]).as_posix()
    marked = path.with_suffix(LANDMARKS)
    if marked.exists():
        return FlorenceScan(file, "file", _marked_points(marked, surface), surface)
    pictures = list_files(path.parent, TEXTURES)
    texture = read_image(pictures[0]) if len(pictures) == 1 else None
    points = find_start_points(mesh, annotator, texture, str(path))
    return FlorenceScan(file, "network", points, surface)


def _marked_points(path: Path, surface: Surface) -> Float[np.ndarray, "9 3"]:
    points = read_ljson(path)[list(START_POINTS)]
    apart = interocular_mm(points)
    if not MM_OF_EYES[0] <= apart <= MM_OF_EYES[1]:
        raise DataError(f"{path}: eyes {apart:.3g} units wide; landmarks in millimetres expected")
    off = float(surface.index.query(points).distance.max())
    if off > OFF_SURFACE_MM:
        raise DataError(f"{path}: a landmark lies {off:.3g} mm from the scan beside it")
    return points
