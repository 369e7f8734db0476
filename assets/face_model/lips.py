"""Lips that do not pass through teeth."""

import numpy as np
from scipy import sparse

from face_model.mouth import Part
from face_model.registration import laplacian
from face_model.skin import Skin
from mlanet.geometry import MeshTopology, SurfaceIndex

REACH_MM = 6.0
"""Skin nearer to the teeth than this, at rest, is what may touch them."""

CLEAR_MM = 0.25
"""Room that is kept between lips and teeth in every expression."""

ROUNDS = 12
SMOOTHNESS = 0.6


class Lips:
    """The skin before the teeth."""

    def __init__(self, skin: Skin, mean: np.ndarray, upper: Part, lower: Part) -> None:
        self._skin = skin
        count = len(upper.vertices)
        self._teeth_faces = np.concatenate([upper.faces, lower.faces + count])
        self._topology = MeshTopology(self._teeth_faces, count + len(lower.vertices))
        self._upper_faces = len(upper.faces)
        teeth = np.concatenate([upper.vertices, lower.vertices])
        found = SurfaceIndex(teeth, self._topology).query(mean)
        near = (found.distance < REACH_MM) & ~skin.bag & ~skin.rims
        near[skin.lips] = True
        self.vertices = np.flatnonzero(near)
        smooth = laplacian(MeshTopology(skin.faces, len(mean)))
        self._spread = sparse.identity(len(mean)) + SMOOTHNESS * smooth

    def before(self, mean: np.ndarray, teeth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which touching vertices lie before the upper teeth, and before the lower ones."""
        found = SurfaceIndex(teeth, self._topology).query(mean[self.vertices])
        above = found.face_index < self._upper_faces
        close = found.distance < 3.5
        return self.vertices[above & close], self.vertices[~above & close]

    def cleared(self, mean: np.ndarray, field: np.ndarray, teeth: np.ndarray) -> np.ndarray:
        """An expression (v, 3) of the skin whose lips stay before the teeth (t, 3)."""
        from scipy.sparse.linalg import splu

        place = mean + field
        index = SurfaceIndex(teeth, self._topology)
        solver = splu(self._spread.tocsc())
        for _ in range(ROUNDS):
            here = place[self.vertices]
            found = index.query(here)
            corner = teeth[self._teeth_faces[found.face_index]]
            normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
            normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
            height = ((here - found.points) * normal).sum(axis=1)
            inside = (height < CLEAR_MM) & (np.abs(height) > 0.8 * found.distance)
            inside &= found.distance < 4.0
            if not inside.any():
                break
            push = np.zeros_like(place)
            # Out of the mouth, not through the edges.
            outward = normal[inside] + np.array([0.0, 0.0, 0.6])
            outward /= np.linalg.norm(outward, axis=1, keepdims=True)
            push[self.vertices[inside]] = (CLEAR_MM - height[inside])[:, None] * outward
            spread = solver.solve(push)
            largest = np.linalg.norm(spread, axis=1).max()
            wanted = np.linalg.norm(push, axis=1).max()
            place = place + spread * min(wanted / max(largest, 1e-9), 2.0)
        return place - mean


def teeth_following(
    motion: np.ndarray, teeth: np.ndarray, lips: np.ndarray, lip_motion: np.ndarray
) -> np.ndarray:
    """The motion (t, 3) of teeth in an identity mode, moved in depth as the lips before them are.

    Args:
        motion: (t, 3) by the skull.
        teeth: (t, 3) at rest.
        lips: (k, 3) vertices before them.
        lip_motion: (k, 3).
    """
    from scipy.spatial import cKDTree

    _, nearest = cKDTree(teeth).query(lips)
    apart = lip_motion - motion[nearest]
    x, z = lips[:, 0] / 20.0, (lips[:, 2] - lips[:, 2].max()) / 20.0
    system = np.stack([np.ones_like(x), x, z], axis=1)
    depth, *_ = np.linalg.lstsq(system, apart[:, 2], rcond=None)
    wide = (apart[:, 0] * x).sum() / ((x * x).sum() + 1.0)
    here = teeth[:, 0] / 20.0, np.maximum((teeth[:, 2] - lips[:, 2].max()) / 20.0, -1.2)
    moved = motion.copy()
    moved[:, 2] += depth[0] + depth[1] * here[0] + depth[2] * here[1]
    moved[:, 0] += wide * here[0]
    return moved
