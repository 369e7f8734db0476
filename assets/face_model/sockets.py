"""Walls behind the eyes' openings, so that nobody sees through the head beside an eyeball.

The deepest row of a lid's rim is closed by triangles between its own vertices. Their inner edges
would cross the front of the ball; decoded, the middles of these edges lie half-way to its centre.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Socket:
    """What closes one eye.

    Attributes:
        faces: (26, 3) triangles between vertices of the rim.
        poles: (2,) vertices whose middle is the eyeball's centre.
    """

    faces: np.ndarray
    poles: np.ndarray


def closing_faces(uv: np.ndarray, ring: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Triangles (n - 2, 3) that close a ring of vertices (n,), by cutting off ears.

    Args:
        uv: (v, 2), where no triangle is turned over.
        ring: (n,) in its order.
        faces: (f, 3) that end there.

    Raises:
        SystemExit: the ring crosses itself.
    """
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    same_way = (edges == ring[:2]).all(axis=1).any()
    left = ring[::-1].tolist() if same_way else ring.tolist()
    found: list[list[int]] = []
    while len(left) > 2:
        corners = [[left[k - 1], left[k], left[(k + 1) % len(left)]] for k in range(len(left))]
        fit = [_sharpness(uv, corner, left) for corner in corners]
        best = int(np.argmax(fit))
        if fit[best] <= 0:
            raise SystemExit("the rim of an eye crosses itself in the texture")
        found.append(corners[best])
        left.pop(best)
    return np.array(found, dtype=np.int32)


def _sharpness(uv: np.ndarray, corner: list[int], ring: list[int]) -> float:
    """Sine of a triangle's smallest angle; 0 where it is turned over or holds other vertices."""
    a, b, c = uv[corner]
    sides = np.array([b - a, c - b, a - c])
    area = sides[0, 0] * sides[1, 1] - sides[0, 1] * sides[1, 0]
    if area <= 0:
        return 0.0
    others = uv[[vertex for vertex in ring if vertex not in corner]]
    within = np.ones(len(others), bool)
    for start, side in zip((a, b, c), sides, strict=True):
        arm = others - start
        within &= side[0] * arm[:, 1] - side[1] * arm[:, 0] >= 0
    if within.any():
        return 0.0
    lengths = np.sort(np.linalg.norm(sides, axis=1))
    return float(area / (lengths[1] * lengths[2]))
