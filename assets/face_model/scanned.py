"""What the model is learnt from: ICT-FaceKit light, the whole head (MIT licence)."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from face_model.skin import boundary_loop, mirror_map

MILLIMETRES = 10.0

FACE, HEAD, MOUTH_SAC, SKIN = 9409, 11248, 13294, 14062
"""Vertices up to here: the face; with skull, ears and neck; with the mouth; with the sockets."""

GUMS, TEETH, UPPER_TEETH = slice(14062, 17039), slice(17039, 21451), slice(17039, 19247)
LOWER_TEETH = slice(19247, 21451)
BALL = {"left": slice(21451, 22221), "right": slice(23021, 23791)}
"""Sclerae; their vertices lie on the balls."""


@dataclass(frozen=True)
class ScannedHead:
    """Mean and modes in mm, in our frame.

    Attributes:
        mean: (n, 3).
        identity: (100, n, 3), of unit variance.
        expression: by ICT's name, (n, 3) each.
        quads: (q, 4), -1 pads triangles.
        landmarks: (68,) vertices.
        mirror: (SKIN,) partner of each vertex of the skin.
        identity_sign: (100,) 1 for symmetric modes, -1 for antisymmetric ones.
    """

    mean: np.ndarray
    identity: np.ndarray
    expression: dict[str, np.ndarray]
    quads: np.ndarray
    landmarks: np.ndarray
    mirror: np.ndarray
    identity_sign: np.ndarray

    @cached_property
    def skin_faces(self) -> np.ndarray:
        """Triangles (f, 3) of the skin with the mouth's and the eyes' sacs."""
        quads = self.quads[self.quads.max(axis=1) < SKIN]
        whole = quads[:, 3] >= 0
        faces = np.concatenate([quads[:, :3], quads[whole][:, [0, 2, 3]]])
        return faces.astype(np.int32)

    @cached_property
    def lips(self) -> np.ndarray:
        """Loop of vertices where the mouth's sac begins."""
        return self._loop(HEAD, MOUTH_SAC, 0)

    @cached_property
    def lids(self) -> tuple[np.ndarray, np.ndarray]:
        """Loops of vertices where the eyes' sockets begin: left, right."""
        return self._loop(MOUTH_SAC, SKIN, 1), self._loop(MOUTH_SAC, SKIN, -1)

    def _loop(self, first: int, last: int, side: int) -> np.ndarray:
        top = self.quads.max(axis=1)
        x = self.mean[self.quads[:, 0], 0]
        inside = (top >= first) & (top < last) & (np.sign(x) * side >= 0)
        return boundary_loop(self.quads, top < HEAD, inside)


def read_scanned(path: Path) -> ScannedHead:
    """Read `ict_head.npz` (arrays mean, identity, expression, quads, indices_json in cm)."""
    with np.load(path) as data:
        mean = data["mean"].astype(np.float64) * MILLIMETRES
        identity = data["identity"].astype(np.float32) * np.float32(MILLIMETRES)
        offsets = data["expression"].astype(np.float32) * np.float32(MILLIMETRES)
        names = [str(name) for name in data["expression_names"]]
        quads = data["quads"]
        indices = json.loads(str(data["indices_json"]))
    mirror = mirror_map(mean[:SKIN])
    image = identity[:, :FACE][:, mirror[:FACE]] * np.array([-1, 1, 1], np.float32)
    sign = np.sign((identity[:, :FACE] * image).sum(axis=(1, 2)))
    return ScannedHead(
        mean=mean,
        identity=identity,
        expression=dict(zip(names, offsets, strict=True)),
        quads=quads,
        landmarks=np.array(indices["idx_to_landmark_verts"]),
        mirror=mirror,
        identity_sign=sign,
    )
