"""How the normals of a mesh turn from one shape to others."""

import numpy as np
from jaxtyping import Bool, Float, Int

LEAST_MOVE_MM = 1e-4
"""Offsets up to this length turn no triangle."""


def turns_of_normals(
    faces: Int[np.ndarray, "f 3"],
    seen: Bool[np.ndarray, "w"],
    bends: Float[np.ndarray, "k w 3"],
) -> Float[np.ndarray, "e w 3"]:
    """Change of the unit normals from the first shape to each other one, where it is seen.

    Only triangles that a shape moves are summed anew at their corners.

    Args:
        faces: of the mesh.
        seen: vertices whose turns matter; those of others are zero.
        bends: vertices in the shapes, mm.
    """
    near = faces[seen[faces].any(axis=1)]
    used = np.zeros(len(seen), dtype=bool)
    used[near] = True
    corners = np.ascontiguousarray((np.cumsum(used) - 1)[near].T)
    rest = np.ascontiguousarray(bends[0, used].T)
    flat = _face_normals(rest, corners)
    before = _at_corners(corners, flat, rest.shape[1])
    directions = _of_length_one(before)
    turns = np.zeros((len(bends) - 1, *bends.shape[1:]), dtype=np.float32)
    for k, bend in enumerate(bends[1:]):
        points = np.ascontiguousarray(bend[used].T)
        moved = np.abs(points - rest).max(axis=0) > LEAST_MOVE_MM
        own = np.flatnonzero(np.take(moved, corners).any(axis=0))
        bent = corners[:, own]
        change = _face_normals(points, bent) - flat[:, own]
        total = before + _at_corners(bent, change, rest.shape[1])
        turns[k, used] = (_of_length_one(total) - directions).T
    turns[:, ~seen] = 0.0
    return turns


def _face_normals(
    points: Float[np.ndarray, "3 w"], corners: Int[np.ndarray, "3 f"]
) -> Float[np.ndarray, "3 f"]:
    """`mlanet.geometry.face_normals` of points in columns: a fraction of its time."""
    a, b, c = (points[:, corner] for corner in corners)
    (ux, uy, uz), (vx, vy, vz) = b - a, c - a
    return np.stack([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx])


def _at_corners(
    corners: Int[np.ndarray, "3 f"], values: Float[np.ndarray, "3 f"], count: int
) -> Float[np.ndarray, "3 w"]:
    """Sums of what triangles have, at their corners."""
    rows = [[np.bincount(corner, row, count) for corner in corners] for row in values]
    return np.array(rows).sum(axis=1)


def _of_length_one(normals: Float[np.ndarray, "3 w"]) -> Float[np.ndarray, "3 w"]:
    return normals / np.sqrt((normals * normals).sum(axis=0) + 1e-20)
