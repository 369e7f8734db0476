"""Predicted meshes of any method: a folder of them in, faces that can be compared out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.errors import AssetError, DataError
from mlanet.evaluation.exchange import read_names
from mlanet.evaluation.surfaces.face_shape import SEVEN_POINTS, FaceShape, outer_eye_distance
from mlanet.export import write_ply
from mlanet.files import atomic_path, check_regular, parsing
from mlanet.files.numpyfiles import read_npy
from mlanet.geometry import Mesh, face_normals, fit_similarity
from mlanet.metrics import Surface
from mlanet.morphable.readers.wavefront import read_obj

MESHES = (".obj", ".ply")
LANDMARKS = ".npy"
MISSED = "missed.txt"
"""File of a folder: names of the pictures in which the method found no face, one a line."""

MAX_PLY_BYTES = 256 * 1024**2

LARGEST = 1e7
"""Coordinates beyond this are malformed."""

OFF_FACE = 0.25
"""Root mean square distance of landmarks from a typical face's, over that of the outer eyes, from
which on they are other points. People differ by 0.05, open mouths by 0.12."""

OFF_MESH = 0.2
"""Points by which alignment starts may lie this far from the mesh (unit as above)."""

FRONT = 0.5
"""Triangles this near to the middle of the landmarks (unit as above) look ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class MeshFolder:
    """Meshes `NAME.obj` or `NAME.ply`, and landmarks `NAME.npy` beside each.

    A mesh may have any topology, unit and place; its axes are right-handed and its triangles
    counter-clockwise seen from outside. All of it is compared. Vertices at one place are one.
    Landmarks lie on the mesh: NoW's seven (7, 3), see `SEVEN_POINTS`, or iBUG's 68 (68, 3).

    Attributes:
        folder: where they are.
        typical: landmarks (mm, x to the left, y up, z out of the face) of any face.
        missed: names in `MISSED`.
    """

    folder: Path
    typical: Float[np.ndarray, "68 3"]
    missed: frozenset[str] = frozenset()

    @classmethod
    def open(
        cls,
        folder: Path,
        typical: Float[np.ndarray, "68 3"],
        names: Sequence[str],
        *,
        missed_too: bool,
    ) -> "MeshFolder":
        """A folder that has a mesh with landmarks of each name; landmarks are read at once.

        `missed_too` says whether missed ones need a mesh, too.

        Raises:
            DataError: something is missing, or landmarks are malformed.
        """
        if not folder.is_dir():
            raise DataError(f"{folder}: no such folder; --predictions takes a folder of meshes")
        listed = folder / MISSED
        missed = read_names(listed, names, "prediction") if listed.exists() else frozenset[str]()
        opened = cls(folder, np.asarray(typical, dtype=np.float64), missed)
        needed = [name for name in names if missed_too or name not in missed]
        absent = [name for name in needed if not opened.meshes_of(name)]
        if absent:
            raise DataError(
                f"{folder}: no mesh {absent[0]}.obj or .ply, as for {len(absent)} of the"
                f" {len(needed)} predictions"
            )
        for name in needed:
            if len(opened.meshes_of(name)) > 1:
                raise DataError(f"{folder}: {name} has both an .obj and a .ply file")
            opened.landmarks(name)
        return opened

    def digest(self, names: Sequence[str]) -> str:
        """SHA-256 of the names, meshes and landmarks."""
        digest = sha256()
        for name in names:
            digest.update(name.encode())
            for path in self.meshes_of(name):
                digest.update(path.read_bytes())
                digest.update(path.with_name(path.stem + LANDMARKS).read_bytes())
        return digest.hexdigest()

    def meshes_of(self, name: str) -> list[Path]:
        """The mesh files of a name; one, if all is well."""
        paths = [self.folder / f"{name}{suffix}" for suffix in MESHES]
        return [path for path in paths if path.is_file()]

    def landmarks(self, name: str) -> Float[np.ndarray, "n 3"]:
        """The landmarks of a name.

        Raises:
            DataError: the file is missing or malformed, or they are no face's.
        """
        path = self.folder / f"{name}{LANDMARKS}"
        needed = "file of landmarks; each mesh needs seven or 68"
        points = read_npy(path, DataError, "not a readable npy file", missing=needed)
        if points.dtype.kind not in "fiu" or points.shape not in ((len(SEVEN_POINTS), 3), (68, 3)):
            raise DataError(f"{path}: (7, 3) or (68, 3) numbers expected, got {points.shape}")
        _check_numbers(path, points)
        points = points.astype(np.float64)
        _check_face(path, points, self._typical(points))
        return points

    def face(self, name: str) -> FaceShape:
        """The face of a name.

        Raises:
            DataError: a file is missing or malformed, the mesh has no triangles, or its
                triangles are clockwise, or the landmarks do not lie on it.
        """
        points, (path, *_) = self.landmarks(name), self.meshes_of(name)
        vertices, faces, _ = merged_vertices(*_read_mesh(path))
        shape = FaceShape(Surface(vertices, faces), points)
        surface = shape.surface
        eyes = _outer_eyes(points)
        off = float(surface.index.query(shape.starts).distance.max()) / eyes
        if off > OFF_MESH:
            raise DataError(
                f"{path}: a landmark lies {off:.2g} times the distance of the eyes from the mesh"
            )
        ahead = fit_similarity(self._typical(points), points).rotation[:, 2]
        corners = surface.vertices[surface.topology.faces]
        middle = points.mean(axis=0)
        near = np.linalg.norm(corners.mean(axis=1) - middle, axis=1) <= FRONT * eyes
        facing = face_normals(surface.vertices, surface.topology.faces[near]) @ ahead
        if facing.sum() < 0.0:
            raise DataError(f"{path}: the triangles are clockwise seen from outside; turn them")
        return shape

    def _typical(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return self.typical[list(SEVEN_POINTS)] if len(points) < 68 else self.typical


@dataclass(frozen=True, slots=True)
class MeshWriter:
    """Keeps scored faces as `MeshFolder` reads them.

    `missed` are names of faces that the method did not find, as they come.
    """

    folder: Path
    missed: list[str] = field(default_factory=list[str])

    def add(self, name: str, face: FaceShape | None, *, missed: bool) -> None:
        """Write `NAME.ply` (single precision) and `NAME.npy` of a face, if there is one.

        Raises:
            DataError: the folder cannot be written.
        """
        self.missed.extend([name] if missed else [])
        if face is None:
            return
        target = self.folder / f"{name}.ply"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            surface = face.surface
            faces = surface.topology.faces.astype(np.int32)
            write_ply(target, Mesh(surface.vertices.astype(np.float32), faces))
            landmarks = self.folder / f"{name}{LANDMARKS}"
            with atomic_path(landmarks) as temporary, temporary.open("wb") as file:
                np.save(file, face.landmarks, allow_pickle=False)
        except OSError as error:
            raise DataError(f"{target}: cannot be written ({error})") from error

    def finish(self) -> None:
        """Write `MISSED`.

        Raises:
            DataError: the folder cannot be written.
        """
        text = "".join(f"{name}\n" for name in self.missed)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self.folder / MISSED) as temporary:
                temporary.write_text(text, encoding="utf-8")
        except OSError as error:
            raise DataError(f"{self.folder}: cannot be written ({error})") from error


def _read_mesh(path: Path) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    """Vertices and triangles of an OBJ or PLY file.

    Raises:
        DataError: it is damaged or empty.
    """
    if path.suffix == ".obj":
        try:
            mesh = read_obj(path)
        except AssetError as error:
            raise DataError(str(error)) from error
        vertices, faces = mesh.vertices, mesh.faces
    else:
        vertices, faces = _read_ply(path)
    if not len(faces):
        raise DataError(f"{path}: a mesh without triangles")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise DataError(f"{path}: a triangle refers to nothing")
    _check_numbers(path, vertices)
    return vertices, faces


def _read_ply(path: Path) -> tuple[Float[np.ndarray, "v 3"], Int[np.ndarray, "f 3"]]:
    from trimesh.exchange.ply import load_ply

    check_regular(path, DataError, MAX_PLY_BYTES)
    trouble = "a damaged PLY file, or one without triangles"
    with parsing(path, trouble, DataError), path.open("rb") as file:
        read = load_ply(file)
        vertices = np.asarray(read["vertices"], dtype=np.float64).reshape(-1, 3)
        faces = np.asarray(read.get("faces", ()), dtype=np.int64).reshape(-1, 3)
        return vertices, faces


def merged_vertices(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> tuple[Float[np.ndarray, "n 3"], Int[np.ndarray, "g 3"], Bool[np.ndarray, "f"]]:
    """One vertex for those at one place (seams of textures), in the order of their first one.

    Returns:
        Vertices, triangles, and which triangles are kept: those that keep three corners, if any.
    """
    places, first, number = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    if len(places) == len(vertices):
        return vertices, faces, np.ones(len(faces), dtype=bool)
    order = np.argsort(first)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    joined = rank[number.reshape(-1)][faces]
    whole = (joined != np.roll(joined, 1, axis=1)).all(axis=1)
    kept = whole | (not whole.any())
    return vertices[first[order]], joined[kept], kept


def _check_numbers(path: Path, values: Float[np.ndarray, "n 3"]) -> None:
    if not np.isfinite(values).all():
        raise DataError(f"{path}: holds numbers that are not finite")
    if np.abs(values).max() > LARGEST:
        raise DataError(f"{path}: holds a coordinate beyond {LARGEST:.0e}")


def _check_face(
    path: Path, points: Float[np.ndarray, "n 3"], typical: Float[np.ndarray, "n 3"]
) -> None:
    """Nothing, if the points are a face's, in this order and right-handed axes."""
    eyes = _outer_eyes(typical)
    off, mirrored = (
        float(np.sqrt(np.square(fit_similarity(p, typical).apply(p) - typical).sum(1).mean()))
        for p in (points, points * np.array([1.0, 1.0, -1.0]))
    )
    if min(off, mirrored) > OFF_FACE * eyes or not _outer_eyes(points) > 0.0:
        raise DataError(f"{path}: not the landmarks of a face, in NoW's or iBUG's order")
    if mirrored < off:
        raise DataError(f"{path}: a mirrored face; axes must be right-handed (turn one of them)")


def _outer_eyes(points: Float[np.ndarray, "n 3"]) -> float:
    return outer_eye_distance(points, range(68) if len(points) == 68 else SEVEN_POINTS)
