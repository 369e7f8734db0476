"""Places on the surface: landmarks as triangle and barycentric weights."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mlanet.geometry import matrix_from_euler
from mlanet.render import rasterize

# Landmark k lies mirrored at MIRRORED[k].
MIRRORED = np.array([
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
])  # fmt: skip

CANDIDATES = 24
MOTION_WEIGHT = 0.5
"""A landmark keeps how it moves with jaw and lids: lips that touch are not confused."""


@dataclass(frozen=True)
class LandmarkPlaces:
    """Triangles (68,) and barycentric weights (68, 3)."""

    faces: np.ndarray
    weights: np.ndarray

    def on(self, values: np.ndarray, faces: np.ndarray) -> np.ndarray:
        """Values (V, c) at the landmarks (68, c)."""
        return (values[faces[self.faces]] * self.weights[..., None]).sum(axis=1)


def barycentric_of_nearest(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Barycentric weights (..., 3) of the nearest points of triangles (..., 3, d)."""
    a, b, c = (triangles[..., k, :] for k in range(3))
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    wu, wv = (w * u).sum(-1), (w * v).sum(-1)
    area = np.maximum(uu * vv - uv * uv, 1e-12)
    s, t = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    found = np.stack([1 - s - t, s, t], axis=-1)
    distance = np.where((found >= 0).all(axis=-1), 0.0, np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, side = triangles[..., i, :], triangles[..., j, :] - triangles[..., i, :]
        along = ((points - start) * side).sum(-1) / np.maximum((side * side).sum(-1), 1e-12)
        along = np.clip(along, 0, 1)
        apart = np.linalg.norm(start + along[..., None] * side - points, axis=-1)
        weights = np.zeros_like(found)
        weights[..., i], weights[..., j] = 1 - along, along
        nearer = apart < distance
        found = np.where(nearer[..., None], weights, found)
        distance = np.where(nearer, apart, distance)
    return found


def nearest_places(
    surface: np.ndarray,
    motions: np.ndarray,
    faces: np.ndarray,
    allowed: np.ndarray,
    mirror: np.ndarray,
    points: np.ndarray,
    before: LandmarkPlaces,
) -> LandmarkPlaces:
    """The places nearest to points (68, 3), mirror images of each other.

    Args:
        surface: (V, 3) mm.
        motions: (V, m) mm by which vertices move with the jaw and the lids.
        faces: (F, 3).
        allowed: (F,) bool, triangles that may bear a landmark.
        mirror: (V,) partner of each vertex.
        points: (68, 3) mm.
        before: where the landmarks were: they keep their motion.
    """
    space = np.concatenate([surface, MOTION_WEIGHT * motions], axis=1)
    wanted = np.concatenate([points, MOTION_WEIGHT * before.on(motions, faces)], axis=1)
    flip = np.ones(space.shape[1])
    flip[0] = -1
    usable = np.flatnonzero(allowed)
    centres = cKDTree(space[faces[usable]].mean(axis=1))
    partner = {tuple(sorted(face)): index for index, face in enumerate(faces.tolist())}
    index, weights = np.zeros(68, int), np.zeros((68, 3))
    for k in range(68):
        if MIRRORED[k] < k:
            continue
        point = (wanted[k] + wanted[MIRRORED[k]] * flip) / 2
        if MIRRORED[k] == k:
            index[k], weights[k] = _nearest_on_midline(space, faces[usable], mirror, point)
            index[k] = usable[index[k]]
            continue
        _, near = centres.query(point, CANDIDATES)
        triangles = space[faces[usable[near]]]
        inside = barycentric_of_nearest(point, triangles)
        on = (inside[..., None] * triangles).sum(axis=1)
        # Triangles whose mirror image is no triangle (a quad's other diagonal) cannot bear pairs.
        for best in np.argsort(np.linalg.norm(on - point, axis=1)):
            mine = usable[near[best]]
            other = partner.get(tuple(sorted(mirror[faces[mine]].tolist())))
            if other is not None:
                break
        else:
            raise SystemExit(f"no symmetric triangle near landmark {k}")
        index[k], weights[k] = mine, inside[best]
        index[MIRRORED[k]] = other
        images = dict(zip(mirror[faces[mine]].tolist(), inside[best], strict=True))
        weights[MIRRORED[k]] = [images[v] for v in faces[other].tolist()]
    return LandmarkPlaces(index, weights)


def _nearest_on_midline(
    space: np.ndarray, faces: np.ndarray, mirror: np.ndarray, point: np.ndarray
) -> tuple[int, np.ndarray]:
    """The triangle and weights of the nearest point on an edge that is its own mirror image."""
    middle = mirror[faces] == faces
    rows = np.flatnonzero(middle.sum(axis=1) == 2)
    corners = np.stack([np.flatnonzero(row) for row in middle[rows]])
    start = space[faces[rows, corners[:, 0]]]
    side = space[faces[rows, corners[:, 1]]] - start
    along = np.clip(((point - start) * side).sum(1) / (side * side).sum(1), 0, 1)
    best = np.linalg.norm(start + along[:, None] * side - point, axis=1).argmin()
    weights = np.zeros(3)
    weights[corners[best]] = 1 - along[best], along[best]
    return int(rows[best]), weights


def outside_faces(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Triangles (F,) bool that are seen from the front, either side or below."""
    seen = np.zeros(len(faces), bool)
    for pitch, yaw in ((0, 0), (0, 50), (0, -50), (25, 0)):
        turned = vertices @ matrix_from_euler(np.radians([pitch, yaw, 0.0])).T
        found = rasterize(turned * 3 + [512, 512, 2000], faces, (1024, 1024), cull_backfaces=True)
        seen[np.unique(found.face_index[found.face_index >= 0])] = True
    return seen
