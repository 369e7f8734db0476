"""Wavefront OBJ: vertices, polygons and texture coordinates, order kept."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import AssetError
from mlanet.files import parsing, read_bytes
from mlanet.files.numpyfiles import MAX_BYTES

MAX_FILE_BYTES = 256 * 1024**2
MAX_WORD = 64
"""Characters of a number; what is longer is none."""

MAX_POLYGON = 1 << 16
"""Characters of a face."""

_BLOCK = 1 << 20
"""Bytes of text that are cut into lines and words at once."""

_END_OF_LINE = re.compile(rb"[\r\n]")


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
        AssetError: the file is missing, malformed or too large.
    """
    blocks = ([np.zeros((0, 3))], [np.zeros((0, 2))], [np.zeros((0, 3, 2), np.int64)])
    with parsing(path, "a damaged OBJ file", AssetError):
        total = 0
        for lines in _blocks(path):
            made = _rows(lines, b"v ", 3), _rows(lines, b"vt ", 2), _triangles(lines)
            total += sum(table.nbytes for table in made)
            if total > MAX_BYTES:
                raise ValueError("too many vertices or faces")
            for table, earlier in zip(made, blocks, strict=True):
                earlier.append(table)
    vertices, uv, table = (np.concatenate(tables) for tables in blocks)
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
        AssetError: the file is missing, malformed or too large.
    """
    with parsing(path, "a damaged OBJ file", AssetError):
        return np.concatenate([_rows(lines, b"v ", 3) for lines in _blocks(path)])


def _blocks(path: Path) -> Iterator[list[bytes]]:
    """The lines of a file, some at a time."""
    content = read_bytes(path, AssetError, MAX_FILE_BYTES)
    start = 0
    while start < len(content):
        end = _END_OF_LINE.search(content, start + _BLOCK)
        stop = len(content) if end is None else end.end()
        yield content[start:stop].splitlines()
        start = stop


def _rows(lines: list[bytes], keyword: bytes, width: int) -> Float[np.ndarray, "n k"]:
    rows = [
        line.split(None, 1 + width)[1 : 1 + width] for line in lines if line.startswith(keyword)
    ]
    if any(len(word) > MAX_WORD for row in rows for word in row):
        raise ValueError("a word that is no number")
    return np.array(rows, dtype=np.bytes_).astype(np.float64).reshape(-1, width)


def _triangles(lines: list[bytes]) -> Int[np.ndarray, "f 3 2"]:
    """Polygons cut into triangles: position and texture coordinate (0: none) of each corner."""
    triangles: list[tuple[tuple[int, int], ...]] = []
    for line in lines:
        if line.startswith(b"f "):
            if len(line) > MAX_POLYGON:
                raise ValueError("a face of too many corners")
            first, *others = (_corner(word) for word in line.split()[1:])
            triangles += [(first, *pair) for pair in pairwise(others)]
    return np.array(triangles, dtype=np.int64).reshape(-1, 3, 2)


def _corner(word: bytes) -> tuple[int, int]:
    """Position and texture coordinate (0: none) of `v`, `v/t`, `v//n` or `v/t/n`."""
    parts = word.split(b"/")
    return int(parts[0]), int(parts[1]) if len(parts) > 1 and parts[1] else 0


def _zero_based(numbers: Int[np.ndarray, "f 3"], count: int) -> Int[np.ndarray, "f 3"]:
    """OBJ counts from one, and negative numbers from the end."""
    return np.where(numbers < 0, numbers + count, numbers - 1)
