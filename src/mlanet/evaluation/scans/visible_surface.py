"""What of a head a scanner sees: its surface without mouth cavity, nostrils and eye sockets."""

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.geometry import matrix_from_euler
from mlanet.metrics import Surface
from mlanet.render import rasterize

VIEWS_DEG = tuple((pitch, yaw) for pitch in (-45.0, 0.0, 45.0) for yaw in range(-90, 91, 30))
"""Pitch and yaw of the directions from which it is looked at."""

MAP_PX = 512
TOLERANCE_MM = 1.0
"""A vertex this far behind what the depth map shows still counts as seen."""

FAR_MM = 10_000.0


def visible_surface(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Surface:
    """The triangles of a head (mm, looking along z) whose corners can all be seen from outside.

    Raises:
        ValueError: there are none.
    """
    seen = np.zeros(len(vertices), dtype=bool)
    for pitch, yaw in VIEWS_DEG:
        rotation = matrix_from_euler(np.radians([pitch, yaw, 0.0]))
        seen |= _seen(np.asarray(vertices @ rotation.T, dtype=np.float64), faces)
    return Surface(vertices, faces[seen[faces].all(axis=1)])


def _seen(points: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> Bool[np.ndarray, "v"]:
    """Vertices (camera axes) that no triangle hides from an orthographic camera."""
    low = points.min(axis=0)
    scale = (MAP_PX - 1) / float(np.ptp(points[:, :2], axis=0).max())
    place = (points - low) * scale
    place[:, 2] = points[:, 2] - low[2] + FAR_MM
    depth = rasterize(place, faces.astype(np.int32), (MAP_PX, MAP_PX), cull_backfaces=False).depth
    column, row = np.clip(place[:, :2], 0, MAP_PX - 1).astype(int).T
    nearest = depth[row, column]
    return np.asarray((nearest == 0) | (place[:, 2] <= nearest + TOLERANCE_MM))
