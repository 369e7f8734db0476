"""Lips that do not pass through teeth."""

import numpy as np
from scipy import sparse

from face_model.mouth import Part
from face_model.registration import laplacian
from face_model.skin import Skin
from mlanet.geometry import MeshTopology, SurfaceIndex, vertex_normals

REACH_MM = 6.0
"""Skin nearer to the teeth than this, at rest, is what may touch them."""

CLEAR_MM = 0.25
"""Room that is kept between lips and teeth in every expression."""

ROUNDS = 40
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
        self.vertices = np.flatnonzero(near | skin.bag)
        self._before = np.flatnonzero(near)
        self.bag_rows, self._bag_teeth, self._bag_share = _hold_of_bag(skin, mean, teeth)
        smooth = laplacian(MeshTopology(skin.faces, len(mean)))
        self._spread = sparse.identity(len(mean)) + SMOOTHNESS * smooth

    def before(self, mean: np.ndarray, teeth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which touching vertices lie before the upper teeth, and before the lower ones."""
        found = SurfaceIndex(teeth, self._topology).query(mean[self._before])
        above = found.face_index < self._upper_faces
        close = found.distance < 3.5
        return self._before[above & close], self._before[~above & close]

    def with_bag(self, field: np.ndarray, teeth_motion: np.ndarray) -> np.ndarray:
        """A field (v, 3) in which the bag's walls go along with the teeth (t, 3) beside them."""
        field = field.copy()
        along = teeth_motion[self._bag_teeth]
        field[self.bag_rows] += self._bag_share[:, None] * (along - field[self.bag_rows])
        return field

    def cleared(
        self, mean: np.ndarray, field: np.ndarray, teeth: np.ndarray, room: float = CLEAR_MM
    ) -> np.ndarray:
        """An expression (v, 3) of the skin whose lips stay before the teeth (t, 3)."""
        from scipy.sparse.linalg import splu

        place = mean + field
        index = SurfaceIndex(teeth, self._topology)
        topology = self._topology
        normals = vertex_normals(teeth, topology.faces, topology.faces_of_vertex)
        solver = splu(self._spread.tocsc())
        for _ in range(ROUNDS):
            here = place[self.vertices]
            found = index.query(here)
            corner = self._teeth_faces[found.face_index]
            normal = (normals[corner] * found.barycentric[..., None]).sum(axis=1)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
            within = ((here - found.points) * normal).sum(axis=1) < 0
            height = np.where(within, -found.distance, found.distance)
            inside = height < room
            if not inside.any():
                break
            push = np.zeros_like(place)
            # Lips go out of the mouth, whichever side of a tooth is nearer.
            lip = ~self._skin.bag[self.vertices[inside]]
            outward = normal[inside] + np.array([0.0, 0.0, 0.6])
            outward[lip & (outward[:, 2] < 0.7)] = [0.0, 0.0, 1.0]
            outward /= np.linalg.norm(outward, axis=1, keepdims=True)
            push[self.vertices[inside]] = (room - height[inside])[:, None] * outward
            spread = solver.solve(push)
            largest = np.linalg.norm(spread, axis=1).max()
            wanted = np.linalg.norm(push, axis=1).max()
            place = place + spread * min(wanted / max(largest, 1e-9), 2.0)
        return place - mean


def _hold_of_bag(
    skin: Skin, mean: np.ndarray, teeth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices of the bag, the nearest vertex of the teeth, and how much it takes them along."""
    from scipy.spatial import cKDTree

    rows = np.flatnonzero(skin.bag)
    distance, nearest = cKDTree(teeth).query(mean[rows])
    from_lips, _ = cKDTree(mean[skin.lips]).query(mean[rows])
    share = np.clip(1.3 - distance / 8.0, 0, 1) * np.clip((from_lips - 2.0) / 6.0, 0, 1)
    return rows, nearest, share


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
    prior = len(lips) * np.diag([0.0, 0.05, 0.05])
    depth = np.linalg.solve(system.T @ system + prior, system.T @ apart[:, 2])
    wide = (apart[:, 0] * x).sum() / ((x * x).sum() + 0.1 * len(lips))
    here = teeth[:, 0] / 20.0, np.maximum((teeth[:, 2] - lips[:, 2].max()) / 20.0, -1.2)
    moved = motion.copy()
    moved[:, 2] += depth[0] + depth[1] * here[0] + depth[2] * here[1]
    moved[:, 0] += wide * here[0]
    return moved
