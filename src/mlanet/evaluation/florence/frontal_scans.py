"""A frontal scan of MICC Florence and its landmarks: from a file, or found in a picture of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import DataError
from mlanet.evaluation.scans.known_heads import read_ljson
from mlanet.evaluation.surfaces.face_shape import (
    NOSE_TIP,
    START_POINTS,
    FaceComparison,
    outer_eye_distance,
)
from mlanet.evaluation.surfaces.mesh_folder import merged_vertices
from mlanet.files import list_files
from mlanet.geometry import Camera, Mesh, MeshTopology, Pose, fit_similarity, matrix_from_euler
from mlanet.image import read_image
from mlanet.metrics import Surface
from mlanet.morphable.readers.wavefront import ObjMesh, read_obj
from mlanet.reconstructor import Reconstructor
from mlanet.render import composite, rasterize, render_mesh

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
        return outer_eye_distance(self.points)


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


def _check_unit(points: Float[np.ndarray, "9 3"], name: str, expected: str) -> None:
    apart = outer_eye_distance(points)
    if not MM_OF_EYES[0] <= apart <= MM_OF_EYES[1]:
        raise DataError(f"{name}: eyes {apart:.3g} units wide; {expected}")


def _marked_points(path: Path, surface: Surface) -> Float[np.ndarray, "9 3"]:
    points = read_ljson(path)[list(START_POINTS)]
    _check_unit(points, str(path), "landmarks in millimetres expected")
    off = float(surface.index.query(points).distance.max())
    if off > OFF_SURFACE_MM:
        raise DataError(f"{path}: a landmark lies {off:.3g} mm from the scan beside it")
    return points


SIZE_PX = 512
BACKGROUND = 0.35
DISTANCES = 6.0
"""The camera's distance over the scan's extent."""

FILLS = 0.9
"""Share of the picture that the scan's extent takes."""

INNER = tuple(place for place, k in enumerate(START_POINTS) if k != 8)
"""Start points that lie well inside of the face: all but the chin."""

STRAIGHTENED = 2
"""Further looks, each straight at the face as the one before found it."""

FRONT = np.diag([1.0, -1.0, -1.0])
"""Model to camera of a face that looks into the camera."""

OFF_MM = 15.0
"""A point farther from where the other ones put it has missed the face (the chin's, mostly)."""

TURNS_DEG = (0.0, 180.0, 90.0, -90.0)
MM_OF_EYES = (55.0, 130.0)
"""The outer corners of an adult's eyes are this far apart; otherwise the unit is no millimetre."""

TIP_REACH_MM = 15.0
"""The tip of the nose is the foremost vertex this near to the landmark."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Start points (mm, the scan's frame) and the face's axes as columns."""

    points: Float[np.ndarray, "9 3"]
    frame: Float[np.ndarray, "3 3"]


def find_start_points(
    scan: ObjMesh,
    reconstructor: Reconstructor,
    texture: UInt8[np.ndarray, "s t 3"] | None,
    name: str,
) -> Float[np.ndarray, "9 3"]:
    """`START_POINTS` of a scan in mm, the tip of the nose being the face's foremost vertex there.

    The scan is drawn from the front (along its z axis), else from the other sides, until the
    detector finds a face, then again straight ahead; the network's landmarks are carried back to
    the surface. Without a texture it is drawn as clay.

    Raises:
        DataError: no face is found, or it is not of a human's size in mm.
    """
    for rotation in _views():
        view = _points_in_view(scan, reconstructor, texture, rotation)
        if view is not None:
            break
    else:
        raise DataError(f"{name}: no face was found in the scan from any side")
    for _ in range(STRAIGHTENED):
        front = _points_in_view(scan, reconstructor, texture, FRONT @ view.frame.T)
        view = view if front is None else front
    points = view.points
    _check_unit(points, name, "a scan in millimetres is expected")
    points[START_POINTS.index(NOSE_TIP)] = _nose_tip(scan.vertices, points)
    return points


def _views() -> Iterator[Float[np.ndarray, "3 3"]]:
    """The 24 rotations, scan to camera, of a cube: first upright ones, then laid down, rolled."""
    known: set[bytes] = set()
    for pitch, roll, yaw in product(TURNS_DEG, repeat=3):
        upright = matrix_from_euler(np.radians([0.0, yaw, roll]))
        rotation = upright @ _about_x(np.radians(pitch))
        key = np.rint(rotation).astype(np.int8).tobytes()
        if key not in known:
            known.add(key)
            yield rotation


def _about_x(angle: float) -> Float[np.ndarray, "3 3"]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def _points_in_view(
    scan: ObjMesh,
    reconstructor: Reconstructor,
    texture: UInt8[np.ndarray, "s t 3"] | None,
    rotation: Float[np.ndarray, "3 3"],
) -> _Found | None:
    """Start points as the network sees them from one side."""
    low, high = scan.vertices.min(axis=0), scan.vertices.max(axis=0)
    extent = float(np.linalg.norm(high - low))
    distance = DISTANCES * extent
    middle = rotation @ ((low + high) / 2.0)
    pose = Pose(rotation, np.array([0.0, 0.0, distance]) - middle)
    camera = Camera(FILLS * DISTANCES * SIZE_PX, (SIZE_PX / 2.0, SIZE_PX / 2.0))
    faces = scan.faces.astype(np.int32)
    textured = texture is not None and scan.uv is not None
    uv = {"uv": scan.uv, "uv_faces": scan.uv_faces} if textured else {}
    drawn = render_mesh(
        Mesh(scan.vertices, faces, **uv),
        pose,
        camera,
        (SIZE_PX, SIZE_PX),
        texture=texture if textured else None,
    )
    behind = np.full((SIZE_PX, SIZE_PX, 3), BACKGROUND, dtype=np.float32)
    picture = (composite(drawn, behind) * 255.0).clip(0, 255).astype(np.uint8)
    detected = reconstructor(picture, max_faces=1)
    if not detected:
        return None
    face = detected[0]
    pixels = face.landmarks_px[list(START_POINTS), :2]
    topology = MeshTopology(faces, len(scan.vertices))
    projected = camera.project(pose.apply(np.asarray(scan.vertices, dtype=np.float64)))
    hits = rasterize(projected, topology.faces, (SIZE_PX, SIZE_PX))
    column, row = np.clip(pixels, 0, SIZE_PX - 1).astype(int).T
    if (hits.face_index[row, column] < 0).any():
        return None
    depth = hits.depth[row, column].astype(np.float64)
    x, y = ((pixels - SIZE_PX / 2.0) / camera.focal_length_px * depth[:, None]).T
    points = (np.stack([x, y, depth], axis=1) - pose.translation) @ rotation
    shape = face.coefficients.identity, face.coefficients.expression
    return _corrected(points, FaceComparison(face.model).face(*shape).landmarks[list(START_POINTS)])


def _corrected(points: Float[np.ndarray, "9 3"], expected: Float[np.ndarray, "9 3"]) -> _Found:
    """Points on the scan; those that lie off take the place that the reconstruction gives them."""
    motion = fit_similarity(expected[list(INNER)], points[list(INNER)])
    place = motion.apply(expected)
    off = np.linalg.norm(points - place, axis=1) > OFF_MM
    return _Found(np.where(off[:, None], place, points), motion.rotation)


def _nose_tip(
    vertices: Float[np.ndarray, "v 3"], points: Float[np.ndarray, "9 3"]
) -> Float[np.ndarray, "3"]:
    """The vertex near the landmark that lies foremost along the face's own direction."""
    right, left, mouth_right, mouth_left = (points[START_POINTS.index(k)] for k in (36, 45, 48, 54))
    ahead = np.cross(left - right, (right + left - mouth_right - mouth_left) / 2.0)
    ahead /= np.linalg.norm(ahead)
    tip = points[START_POINTS.index(NOSE_TIP)]
    near = vertices[np.linalg.norm(vertices - tip, axis=1) <= TIP_REACH_MM]
    return near[int((near @ ahead).argmax())] if len(near) else tip
