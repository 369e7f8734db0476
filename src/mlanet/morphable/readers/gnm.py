"""Google's GNM head, version 3: an npz without pickles.

The Generative aNthropometric Model, https://github.com/google/GNM, Apache-2.0. The linear part at
rest is read; joints, skinning weights and pose correctives (all zero in version 3) are not, so
that neck and eyes do not turn.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from mlanet.errors import AssetError
from mlanet.files import parsing, printable
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import read_arrays, sha256_of
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.readers.assemble import Parts, assemble

OBTAINED = "https://github.com/google/GNM"
LICENCE = "Apache-2.0"
MM_PER_METRE = 1000.0
NPZ_KEYS = (
    *("version", "variant", "template_vertex_positions", "vertex_identity_basis"),
    *("expression_basis", "identity_names", "expression_names", "triangles", "triangle_uvs"),
    *("vertex_groups", "vertex_group_names"),
)

TILES = (
    ((1.0, 0.0), ("left_eye", "eye_interiors")),
    ((2.0, 0.0), ("left_eye", "eye_exteriors")),
    ((3.0, 0.0), ("right_eye", "eye_interiors")),
    ((4.0, 0.0), ("right_eye", "eye_exteriors")),
    ((5.0, 0.0), ("upper_teeth_and_gums",)),
    ((5.0, 0.0), ("lower_teeth_and_gums",)),
    ((6.0, 0.0), ("tongue",)),
)
"""Where GNM puts the squares of its parts in one texture plane (UDIM), by the vertex groups that
their corners are all in; in the file they lie over each other. The skin keeps the first square."""

RIGHT_JAW, LEFT_JAW = slice(0, 8), slice(9, 17)
"""Landmarks (iBUG 68) from ear to chin and from chin to ear."""


def read_gnm(path: Path, landmarks: Path | None = None) -> MorphableModel:
    """GNM's head from an npz with `NPZ_KEYS`; metres in the file.

    All modes are kept, in the file's order and under its names: identity of head, eyeballs and
    teeth, expressions of the eyes' regions, lower face, tongue and pupils. They are unit normal.

    Args:
        path: the file.
        landmarks: GNM's head_sparse_68.txt, or any other file of landmarks.

    Raises:
        AssetError: an array is missing or malformed.
    """
    data = read_arrays(path)
    missing = [name for name in NPZ_KEYS if name not in data]
    if missing:
        raise AssetError(f"{path}: not a GNM head: it lacks {', '.join(missing)}; see {OBTAINED}")
    with parsing(path, f"a damaged GNM head; see {OBTAINED}", AssetError):
        uv, uv_faces = _shared_uv(data)
        parts = Parts(
            name=printable(f"GNM {data['variant']} {data['version']}"),
            millimetres=MM_PER_METRE,
            mean=data["template_vertex_positions"],
            identity=np.moveaxis(data["vertex_identity_basis"].astype(np.float32), 0, -1),
            expression=np.moveaxis(data["expression_basis"].astype(np.float32), 0, -1),
            faces=data["triangles"].astype(np.int64),
            provenance=Provenance("gnm", LICENCE, OBTAINED, sha256_of(path)),
            uv=uv,
            uv_faces=uv_faces,
            identity_names=_names(data["identity_names"]),
            expression_names=_names(data["expression_names"]),
        )
    model = assemble(parts, path, landmarks)
    return _with_jaw_in_order(model) if model.known_landmarks.all() else model


def _shared_uv(
    data: dict[str, np.ndarray],
) -> tuple[Float[np.ndarray, "t 2"], Int[np.ndarray, "f 3"]]:
    """One texture coordinate for all corners at the same place, and triangles of them."""
    corners, triangles = data["triangle_uvs"].astype(np.float32), data["triangles"]
    if corners.ndim != 3 or corners.shape[1:] != (3, 2):
        raise ValueError(f"triangle_uvs is {corners.shape}")
    groups = dict(zip(_names(data["vertex_group_names"]), data["vertex_groups"] > 0.5, strict=True))
    for offset, names in TILES:
        if all(name in groups for name in names):
            inside = np.logical_and.reduce([groups[name] for name in names])
            corners[inside[triangles].all(axis=1)] += np.array(offset, np.float32)
    found, number = np.unique(corners.reshape(-1, 2), axis=0, return_inverse=True)
    return found, number.reshape(-1, 3)


def _names(names: np.ndarray) -> tuple[str, ...]:
    return tuple(printable(str(name)) for name in names.tolist())


def _with_jaw_in_order(model: MorphableModel) -> MorphableModel:
    """Landmarks along the jaw from the right ear down to the chin and up to the left ear.

    GNM's file has points 2 to 6 of the right side from the chin upwards.
    """
    height = np.asarray(model.landmarks.mean[:, 1])
    order = np.arange(len(height))
    order[RIGHT_JAW] = order[RIGHT_JAW][np.argsort(-height[RIGHT_JAW], kind="stable")]
    order[LEFT_JAW] = order[LEFT_JAW][np.argsort(height[LEFT_JAW], kind="stable")]
    return replace(
        model,
        landmark_faces=model.landmark_faces[order],
        landmark_barycentric=model.landmark_barycentric[order],
    )
