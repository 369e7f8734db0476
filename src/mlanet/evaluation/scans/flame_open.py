"""FLAME 2023 Open, from which heads are drawn to measure with; never to learn from.

Li, Bolkart, Black, Li and Romero, "Learning a model of facial shape and expression from 4D
scans", SIGGRAPH Asia 2017. CC BY 4.0.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from mlanet.errors import AssetError
from mlanet.files import parsing
from mlanet.files.numpyfiles import read_npz
from mlanet.geometry import connected_pieces
from mlanet.morphable import MorphableModel
from mlanet.morphable.landmarks import SurfaceLandmarks
from mlanet.morphable.model import UNKNOWN
from mlanet.morphable.native import sha256_of
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.readers.assemble import Parts, assemble

FLAME_FILE = Path("flame_open") / "flame_basis.npz"
LICENCE = "CC BY 4.0"
SOURCE = "https://flame.is.tue.mpg.de (FLAME 2023 Open)"
MM_PER_METRE = 1000.0
WANTED = "an npz of FLAME Open: v_template, shapedirs, faces, lmk_face_idx, lmk_b_coords"

MEDIAPIPE_POINTS = (
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 98, 97, 2, 326, 327),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87),
)
"""Points of MediaPipe's face mesh at iBUG's landmarks 17 to 67; FLAME's authors say where they
lie on its triangles."""

JAW_VERTICES = (
    *(2217, 2211, 1961, 3384, 3388, 3389, 3392, 3396, 3399),
    *(3599, 3594, 3587, 3584, 3580, 566, 729, 735),
)
"""Vertices at iBUG's landmarks 0 to 16, which MediaPipe lacks: those nearest to ICT-FaceKit's
landmarks after a surface fit of that model to FLAME's template, the right side mirrored."""


def read_flame_open(path: Path) -> MorphableModel:
    """FLAME's skin at rest: mean and identity modes at unit variance, 68 landmarks; no eyeballs.

    Raises:
        AssetError: the file is missing, damaged or another one.
    """
    trouble = f"not {WANTED}"
    data = read_npz(path, AssetError, trouble)
    with parsing(path, trouble, AssetError):
        mean, modes = (data[name].astype(np.float64) for name in ("v_template", "shapedirs"))
        faces = data["faces"].astype(np.int64)
        if faces.ndim != 2 or faces.min() < 0 or faces.max() >= len(mean):
            raise ValueError("faces index no vertices")
        skin = _skin(faces, len(mean))
        number = np.full(len(mean), UNKNOWN)
        number[skin] = np.arange(len(skin))
        kept = (number[faces] != UNKNOWN).all(axis=1)
        parts = Parts(
            name="FLAME Open",
            millimetres=MM_PER_METRE,
            mean=mean[skin],
            identity=modes[skin],
            expression=np.zeros((len(skin), 3, 0)),
            faces=number[faces[kept]],
            provenance=Provenance("flame-open", LICENCE, SOURCE, sha256_of(path)),
            landmarks=_places(data, faces, kept),
        )
    return assemble(parts, path)


def _skin(faces: Int[np.ndarray, "f 3"], count: int) -> Int[np.ndarray, "n"]:
    """Vertices of the largest connected part: eyeballs are parts of their own."""
    part = connected_pieces(faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), count)
    return np.flatnonzero(part == np.bincount(part).argmax())


def _places(
    data: dict[str, np.ndarray], faces: Int[np.ndarray, "f 3"], kept: Bool[np.ndarray, "f"]
) -> SurfaceLandmarks:
    """The 68 landmarks on the triangles that are kept."""
    jaw = [np.argwhere(faces == vertex)[0] for vertex in JAW_VERTICES]
    row_of = {int(point): row for row, point in enumerate(data["landmark_indices"])}
    rows = [row_of[point] for point in MEDIAPIPE_POINTS]
    triangles = np.array([*(row for row, _ in jaw), *data["lmk_face_idx"][rows]])
    if not kept[triangles].all():
        raise ValueError("a landmark lies on no skin")
    weights = np.concatenate([np.eye(3)[[corner for _, corner in jaw]], data["lmk_b_coords"][rows]])
    number = np.cumsum(kept) - 1
    return SurfaceLandmarks(number[triangles].astype(np.int32), weights.astype(np.float32))
