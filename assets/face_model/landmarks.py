"""The 68 landmarks on the model's mesh."""

import numpy as np

from mlanet.geometry import MeshTopology, SurfaceIndex

# Landmark k lies mirrored at MIRRORED[k].
MIRRORED = np.array([
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65,
])  # fmt: skip


def place_landmarks(
    parted: np.ndarray, faces: np.ndarray, mirror: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles (68,) and barycentric weights (68, 3), mirror images of each other.

    Args:
        parted: (v, 3) skin with lips parted, so that upper and lower ones are not confused.
        faces: (f, 3) of the skin's outside, exactly mirrored.
        mirror: (v,).
        points: (68, 3) in the same pose.
    """
    flip = np.array([-1.0, 1.0, 1.0])
    points = (points + points[MIRRORED] * flip) / 2
    index = SurfaceIndex(parted, MeshTopology(faces, len(parted)))
    found = index.query(points)
    triangle, weight = found.face_index.astype(int), found.barycentric.copy()
    partner = {tuple(sorted(face)): row for row, face in enumerate(faces.tolist())}
    for k, other in enumerate(MIRRORED):
        if other == k:
            triangle[k], weight[k] = _on_middle(parted, faces, mirror, points[k])
        elif other > k:
            image = mirror[faces[triangle[k]]].tolist()
            triangle[other] = partner[tuple(sorted(image))]
            weights = dict(zip(image, weight[k], strict=True))
            weight[other] = [weights[vertex] for vertex in faces[triangle[other]].tolist()]
    return triangle, weight


def _on_middle(
    place: np.ndarray, faces: np.ndarray, mirror: np.ndarray, point: np.ndarray
) -> tuple[int, np.ndarray]:
    """The nearest point on an edge of the plane of symmetry."""
    own = mirror[faces] == faces
    rows = np.flatnonzero(own.sum(axis=1) == 2)
    corners = np.array([np.flatnonzero(row) for row in own[rows]])
    start = place[faces[rows, corners[:, 0]]]
    side = place[faces[rows, corners[:, 1]]] - start
    along = np.clip(((point - start) * side).sum(axis=1) / (side * side).sum(axis=1), 0, 1)
    best = int(np.linalg.norm(start + along[:, None] * side - point, axis=1).argmin())
    weight = np.zeros(3)
    weight[corners[best]] = 1 - along[best], along[best]
    return int(rows[best]), weight
