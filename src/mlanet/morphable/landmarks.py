"""The 68 landmarks of a model: from vertices, and from files that users give."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import AssetError
from mlanet.files import json_value, parsing, read_text, start_of
from mlanet.files.numpyfiles import npy_header, read_npy, read_npz
from mlanet.morphable.model import NUM_LANDMARKS, UNKNOWN

FORMS = (
    "a JSON list of 68 vertex indices, or a JSON object with face_index (68) and barycentric"
    " (68 x 3), or DECA's landmark_embedding.npy, or GNM's head_sparse_68.txt"
)
KEPT_WEIGHT = 0.99
"""Of a landmark between vertices, that one triangle's corners must hold."""

NPY_MAGIC = b"\x93NUMPY"


@dataclass(frozen=True, slots=True)
class SurfaceLandmarks:
    """Where the 68 landmarks are: triangles (`UNKNOWN` where missing) and weights."""

    faces: Int[np.ndarray, "68"]
    barycentric: Float[np.ndarray, "68 3"]


def landmarks_at_vertices(
    faces: Int[np.ndarray, "f 3"], vertices: dict[int, int]
) -> SurfaceLandmarks:
    """Landmarks that are vertices, by iBUG's number; the others are unknown.

    Raises:
        ValueError: a vertex belongs to no triangle.
    """
    found = SurfaceLandmarks(
        np.full(NUM_LANDMARKS, UNKNOWN, np.int32), np.zeros((NUM_LANDMARKS, 3), np.float32)
    )
    if not vertices:
        return found
    flat = faces.reshape(-1)
    count = int(flat.max()) + 1
    corner = np.full(count, UNKNOWN, np.int64)
    corner[flat[::-1]] = np.arange(len(flat))[::-1]  # the first corner of each vertex
    for number, vertex in vertices.items():
        if not 0 <= vertex < count or corner[vertex] == UNKNOWN:
            raise ValueError(f"landmark {number} is vertex {vertex}, which no triangle uses")
        found.faces[number] = corner[vertex] // 3
        found.barycentric[number, corner[vertex] % 3] = 1.0
    return found


def read_landmarks(path: Path, faces: Int[np.ndarray, "f 3"]) -> SurfaceLandmarks:
    """Landmarks that a user gives for a model with these triangles; for the forms see `FORMS`.

    Raises:
        AssetError: the file is missing or malformed, or does not fit the model.
    """
    with parsing(path, f"not 68 landmarks; expected {FORMS}", AssetError):
        content = _content(path)
        if isinstance(content, list):
            if len(content) != NUM_LANDMARKS:
                raise ValueError(f"{len(content)} landmarks")
            return landmarks_at_vertices(faces, {k: int(v) for k, v in enumerate(content)})
        if isinstance(content, tuple):
            return _between_vertices(faces, *content)
        index = np.asarray(content["face_index"]).reshape(-1)
        weights = np.asarray(content["barycentric"], dtype=np.float32).reshape(-1, 3)
        if len(index) != NUM_LANDMARKS or len(weights) != NUM_LANDMARKS:
            raise ValueError(f"{len(index)} faces and {len(weights)} weights")
        if index.min() < 0 or index.max() >= len(faces):
            raise ValueError(f"a face index beyond the model's {len(faces)} triangles")
        if not (np.abs(weights.sum(axis=1) - 1.0) < 1e-2).all():
            raise ValueError("weights whose sum is not one")
        return SurfaceLandmarks(index.astype(np.int32), weights)


def _content(path: Path) -> Any:
    magic = start_of(path, len(NPY_MAGIC), AssetError, missing="landmark file")
    if magic == NPY_MAGIC:
        return _numpy_file(path)
    if magic[:4] == b"PK\x03\x04":
        return read_npz(path, AssetError, "not an npz of landmarks")
    text = read_text(path, AssetError)
    return json_value(text) if text.lstrip()[:1] in ("[", "{") else _table(text)


def _table(text: str) -> tuple[Int[np.ndarray, "68 3"], Float[np.ndarray, "68 3"]]:
    """Vertices and weights of GNM's file: a line for each landmark, three of both in turns."""
    rows = [[float(word) for word in line.split()] for line in text.splitlines() if line.strip()]
    if [len(row) for row in rows] != [6] * NUM_LANDMARKS:
        raise ValueError(f"{len(rows)} lines of text")
    values = np.array(rows)
    return values[:, ::2].astype(np.int64), values[:, 1::2]


def _between_vertices(
    faces: Int[np.ndarray, "f 3"],
    vertices: Int[np.ndarray, "68 3"],
    weights: Float[np.ndarray, "68 3"],
) -> SurfaceLandmarks:
    """Landmarks between three vertices each, which are corners of a triangle in any order.

    Raises:
        ValueError: they are not, or their weights do not add up to one.
    """
    found = SurfaceLandmarks(
        np.zeros(NUM_LANDMARKS, np.int32), np.zeros((NUM_LANDMARKS, 3), np.float32)
    )
    for number, (places, parts) in enumerate(zip(vertices, weights, strict=True)):
        if not abs(float(parts.sum()) - 1.0) < 1e-2:
            raise ValueError("weights whose sum is not one")
        around = np.flatnonzero((faces == places[parts.argmax()]).any(axis=1))
        held = ((faces[around][:, :, None] == places) * parts).sum(axis=2)
        if not len(around) or held.sum(axis=1).max() < KEPT_WEIGHT * parts.sum():
            raise ValueError(f"landmark {number} lies on no triangle of the model")
        best = int(held.sum(axis=1).argmax())
        found.faces[number] = around[best]
        found.barycentric[number] = held[best] / held[best].sum()
    return found


def _numpy_file(path: Path) -> Any:
    """68 vertex indices, or DECA's file: one pickled dictionary, of which two arrays are needed."""
    from mlanet.files.pickles import as_array, load_pickle, only_item

    with path.open("rb") as file:
        _, _, dtype = npy_header(file, pickled=True)
        if not dtype.hasobject:
            return read_npy(path, AssetError, "not an npy file of landmarks").ravel().tolist()
        table = only_item(load_pickle(file, f"{path}: not a table of landmarks", AssetError))
    return {
        "face_index": as_array(table["full_lmk_faces_idx"]),
        "barycentric": as_array(table["full_lmk_bary_coords"]),
    }
