"""Wavefront OBJ: vertices, polygons and texture coordinates, order kept."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import AssetError
from mlanet.morphable.archive import checked_size

MEMORY_PER_BYTE = 10
"""What a byte of text takes at most while it is read, as one of a list of words."""


@dataclass(frozen=True, slots=True)
class ObjMesh:
    """Vertices in the file's order and number; polygons cut into triangles from their first corner.

    Attributes:
        vertices: in the file's unit.
        faces: triangles, zero-based.
        uv: texture coordinates, or None.
        uv_faces: their triangles, or None.
    """

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "t 2"] | None
    uv_faces: Int[np.ndarray, "f 3"] | None


def read_obj(path: Path) -> ObjMesh:
    """Read an OBJ file; lines, free forms, normals, materials and groups are passed over.

    Raises:
        AssetError: the file is missing or malformed.
    """
    lines = _lines(path)
    try:
        vertices = _rows(lines, b"v ", 3)
        uv = _rows(lines, b"vt ", 2)
        polygons = [line.split()[1:] for line in lines if line.startswith(b"f ")]
        corners = [[_corner(word) for word in polygon] for polygon in polygons]
        triangles = [
            (polygon[0], polygon[k], polygon[k + 1])
            for polygon in corners
            for k in range(1, len(polygon) - 1)
        ]
        table = np.array(triangles, dtype=np.int64).reshape(-1, 3, 2)
    except (ValueError, IndexError, OverflowError) as error:
        raise AssetError(f"{path}: a damaged OBJ file") from error
    if not len(vertices) or not len(table):
        raise AssetError(f"{path}: an OBJ file without vertices or faces")
    faces, uv_faces = (_zero_based(table[..., k], n) for k, n in ((0, len(vertices)), (1, len(uv))))
    textured = len(uv) > 0 and bool((table[..., 1] != 0).all())
    if faces.min() < 0 or (textured and uv_faces.min() < 0):
        raise AssetError(f"{path}: a face of the OBJ file refers to nothing")
    return ObjMesh(vertices, faces, uv if textured else None, uv_faces if textured else None)


def read_obj_vertices(path: Path) -> Float[np.ndarray, "v 3"]:
    """The vertices alone.

    Raises:
        AssetError: the file is missing or malformed.
    """
    try:
        return _rows(_lines(path), b"v ", 3)
    except (ValueError, IndexError) as error:
        raise AssetError(f"{path}: a damaged OBJ file") from error


def _lines(path: Path) -> list[bytes]:
    try:
        checked_size(path, path.stat().st_size * MEMORY_PER_BYTE)
        return path.read_bytes().splitlines()
    except OSError as error:
        raise AssetError(f"{path}: no such file") from error


def _rows(lines: list[bytes], keyword: bytes, width: int) -> Float[np.ndarray, "n k"]:
    rows = [line.split()[1 : 1 + width] for line in lines if line.startswith(keyword)]
    return np.array(rows, dtype=np.bytes_).astype(np.float64).reshape(-1, width)


def _corner(word: bytes) -> tuple[int, int]:
    """Position and texture coordinate (0: none) of `v`, `v/t`, `v//n` or `v/t/n`."""
    parts = word.split(b"/")
    return int(parts[0]), int(parts[1]) if len(parts) > 1 and parts[1] else 0


def _zero_based(numbers: Int[np.ndarray, "f 3"], count: int) -> Int[np.ndarray, "f 3"]:
    """OBJ counts from one, and negative numbers from the end."""
    return np.where(numbers < 0, numbers + count, numbers - 1)
