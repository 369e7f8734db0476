"""ICT-FaceKit's light model: a folder of OBJ files, or its face region as one npz.

Li et al., "Learning formation of physically-based face attributes", CVPR 2020. MIT licence.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.errors import AssetError
from mlanet.files import list_files, parsing, printable, read_json
from mlanet.files.numpyfiles import MAX_BYTES
from mlanet.morphable.arkit import arkit_name
from mlanet.morphable.model import NUM_LANDMARKS, MorphableModel
from mlanet.morphable.native import read_arrays, sha256_of
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.readers.assemble import Parts, assemble
from mlanet.morphable.readers.wavefront import ObjMesh, read_obj, read_obj_vertices

OBTAINED = "https://github.com/ICT-VGL/ICT-FaceKit (folder FaceXModel)"
LICENCE = "MIT"
NEUTRAL = "generic_neutral_mesh.obj"
MM_PER_CM = 10.0
MM_PER_UNIT = {"mm": 1.0, "cm": MM_PER_CM, "m": 1000.0}
NPZ_KEYS = ("mean", "id_basis", "exp_basis", "exp_names", "faces", "lm68", "unit")

IDENTITY = re.compile(r"identity[0-9].*\.obj")
NOT_A_MODE = ("identity", "pupildilate")


def read_ict(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """The light model from its folder, or its face region from an npz.

    Raises:
        AssetError: it is missing, damaged or of another format.
    """
    if path.is_dir():
        return read_ict_folder(path, landmarks)
    return ict_from_arrays(read_arrays(path), path, landmarks)


def read_ict_folder(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """The whole light model from `FaceXModel`: neutral, `identityNNN.obj`, one OBJ an expression.

    Landmarks and the order of expressions are those of `vertex_indices.json`, if it is there.

    Raises:
        AssetError: the folder holds no such model, or a file of it is damaged.
    """
    neutral_path = path / NEUTRAL
    if not neutral_path.is_file():
        raise AssetError(
            f"{path}: not a face model: the folder holds no {NEUTRAL}; ICT-FaceKit is obtained"
            f" from {OBTAINED}"
        )
    neutral = read_obj(neutral_path)
    meshes = list_files(path, (".obj",))
    identity_paths = [file for file in meshes if IDENTITY.fullmatch(file.name)]
    if not identity_paths:
        raise AssetError(f"{path}: it lacks identity000.obj and its like; see {OBTAINED}")
    info_path = path / "vertex_indices.json"
    info = _info(info_path) if info_path.exists() else {}
    names = _expression_names(meshes, info)
    expression_paths = [path / f"{name}.obj" for name in names]
    files = [neutral_path, *identity_paths, *expression_paths]
    if 24 * len(neutral.vertices) * len(files) > MAX_BYTES:
        raise AssetError(
            f"{path}: {len(files)} meshes of {len(neutral.vertices)} vertices: too large"
        )
    vertices = info.get("idx_to_landmark_verts", [])
    parts = Parts(
        name="ICT-FaceKit light",
        millimetres=MM_PER_CM,
        mean=neutral.vertices,
        identity=_offsets(identity_paths, neutral),
        expression=_offsets(expression_paths, neutral),
        faces=neutral.faces,
        provenance=Provenance("ict-facekit", LICENCE, OBTAINED, sha256_of(*files)),
        uv=neutral.uv,
        uv_faces=neutral.uv_faces,
        landmarks=dict(enumerate(vertices)) if len(vertices) == NUM_LANDMARKS else {},
        expression_names=tuple(arkit_name(name) for name in names),
        expression_bounded=True,
    )
    return assemble(parts, path, landmarks)


def ict_from_arrays(
    data: dict[str, np.ndarray], path: Path, landmarks: Path | None = None
) -> MorphableModel:
    """ICT's face region from an npz with `NPZ_KEYS` and, optional, `uv` and `uv_faces`.

    Raises:
        AssetError: an array is missing or malformed.
    """
    missing = [name for name in NPZ_KEYS if name not in data]
    if missing:
        raise AssetError(f"{path}: the ICT-FaceKit npz lacks {', '.join(missing)}")
    unit = str(data["unit"])
    if unit not in MM_PER_UNIT:
        raise AssetError(f"{path}: unit is {unit!r}, expected one of {', '.join(MM_PER_UNIT)}")
    with parsing(path, "an array of the ICT-FaceKit npz is malformed", AssetError):
        parts = Parts(
            name="ICT-FaceKit light (face)",
            millimetres=MM_PER_UNIT[unit],
            mean=data["mean"],
            identity=np.moveaxis(data["id_basis"].astype(np.float32), 0, -1),
            expression=np.moveaxis(data["exp_basis"].astype(np.float32), 0, -1),
            faces=data["faces"].astype(np.int64),
            provenance=Provenance("ict-facekit", LICENCE, OBTAINED, sha256_of(path)),
            uv=data.get("uv"),
            uv_faces=data["uv_faces"].astype(np.int64) if "uv_faces" in data else None,
            landmarks=dict(enumerate(data["lm68"].astype(np.int64).tolist())),
            expression_names=tuple(
                arkit_name(printable(str(name))) for name in data["exp_names"].tolist()
            ),
            expression_bounded=True,
        )
    return assemble(parts, path, landmarks)


def _info(path: Path) -> dict[str, Any]:
    trouble = f"not ICT-FaceKit's list of indices; see {OBTAINED}"
    content = read_json(path, AssetError, what=trouble.removeprefix("not "))
    with parsing(path, trouble, AssetError):
        vertices, names = content.get("idx_to_landmark_verts", []), content.get("expressions", [])
        if not all(isinstance(vertex, int) for vertex in vertices):
            raise ValueError("idx_to_landmark_verts")
        if not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise ValueError("expressions")
    return content


def _expression_names(meshes: list[Path], info: dict[str, Any]) -> list[str]:
    if info.get("expressions"):
        return list(info["expressions"])
    return [
        file.stem
        for file in meshes
        if file.name != NEUTRAL and not file.stem.lower().startswith(NOT_A_MODE)
    ]


def _offsets(files: list[Path], neutral: ObjMesh) -> Float[np.ndarray, "v 3 k"]:
    found = np.empty((*neutral.vertices.shape, len(files)), np.float32)
    for number, file in enumerate(files):
        vertices = read_obj_vertices(file)
        if vertices.shape != neutral.vertices.shape:
            raise AssetError(
                f"{file}: {len(vertices)} vertices, the neutral mesh has {len(neutral.vertices)}"
            )
        found[..., number] = vertices - neutral.vertices
    return found
