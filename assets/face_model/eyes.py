"""Eyeballs: spheres whose rings of vertices lie where the pupil and the iris end."""

from itertools import pairwise

import numpy as np

from face_model.lids import RADIUS_MM

SIDES = 16
RING_ANGLES_DEG = (5.0, 8.0, 15.0, 22.5, 25.0, 34.0, 52.0, 75.0, 105.0, 140.0)
"""Rings around the axis of gaze; the iris has a radius of 5.8 mm on a ball of 13.8 mm."""

PUPIL_DEG, IRIS_DEG = 6.5, 24.0

SEEN_DEG, SEEN_SHARE = 75.0, 0.85
"""What lids ever show of a ball, from its axis, and the share of the texture's radius for it."""

GAZE_DEG = {"eyeLookUp": 22.0, "eyeLookDown": 25.0, "eyeLookIn": 28.0, "eyeLookOut": 28.0}


def eyeball() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Left ball around the origin: unit vertices (v, 3), faces, angles from the axis (v,), UV.

    The texture's centre is the pupil; distance from it grows with the angle from the axis. The
    pole at the back has one coordinate for each of its triangles. The last two arrays are the
    coordinates (t, 2) and their triangles.
    """
    polar = np.radians(RING_ANGLES_DEG)
    around = 2 * np.pi * np.arange(SIDES) / SIDES
    rings = np.stack([
        np.sin(polar)[:, None] * np.cos(around), np.sin(polar)[:, None] * np.sin(around),
        np.repeat(np.cos(polar)[:, None], SIDES, axis=1),
    ], axis=-1)  # fmt: skip
    count = len(polar)
    index = 1 + np.arange(count * SIDES).reshape(count, SIDES)
    front, back = 0, count * SIDES + 1
    faces: list[list[int]] = []
    for k in range(SIDES):
        n = (k + 1) % SIDES
        faces.append([front, index[0, k], index[0, n]])
        faces += [
            triangle
            for a, b in pairwise(range(count))
            for triangle in (
                [index[a, k], index[b, k], index[b, n]],
                [index[a, k], index[b, n], index[a, n]],
            )
        ]
        faces.append([index[-1, k], back, index[-1, n]])
    vertices = np.concatenate([[[0, 0, 1]], rings.reshape(-1, 3), [[0, 0, -1]]])
    angle = np.concatenate([[0.0], np.repeat(polar, SIDES), [np.pi]])
    turn = np.concatenate([[0.0], np.tile(around, count), [0.0]])
    radius = 0.5 * np.interp(angle, np.radians([0.0, SEEN_DEG, 180.0]), [0.0, SEEN_SHARE, 1.0])
    uv = 0.5 + radius[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    middle = around + np.pi / SIDES
    ends = 0.5 + 0.5 * np.stack([np.cos(middle), np.sin(middle)], axis=1)
    triangles = np.array(faces, dtype=np.int32)
    corners = triangles.copy()
    for k, row in enumerate(np.flatnonzero((triangles == back).any(axis=1))):
        corners[row] = np.where(triangles[row] == back, back + k, triangles[row])
    return vertices, triangles, angle, np.concatenate([uv[:-1], ends]), corners


def gaze_motion(sphere: np.ndarray, name: str, *, left: bool) -> np.ndarray:
    """Displacement (v, 3) of unit vertices, times the radius, of a look at its full extent."""
    degrees = GAZE_DEG[name]
    angle = np.radians(degrees)
    if name in ("eyeLookUp", "eyeLookDown"):
        sine = np.sin(angle) * (1 if name == "eyeLookUp" else -1)
        rotation = np.array([[1, 0, 0], [0, np.cos(angle), sine], [0, -sine, np.cos(angle)]])
    else:
        outward = (name == "eyeLookOut") == left  # towards the subject's left
        sine = np.sin(angle) * (1 if outward else -1)
        rotation = np.array([[np.cos(angle), 0, sine], [0, 1, 0], [-sine, 0, np.cos(angle)]])
    return RADIUS_MM * (sphere @ rotation.T - sphere)
