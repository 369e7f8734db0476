"""The covered part of a mesh whose texture has transparency, cut along its outline."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int32, UInt8

from mlanet.render.sampling import texels_from_uv

CUTOFF = 0.5
"""Least cover of what is shown."""

HALVINGS = 2
"""How often triangles that are covered in part are divided into four before they are cut."""


def cut_out(
    faces: Int32[np.ndarray, "f 3"],
    vertices: Float[np.ndarray, "n 3"],
    uv: Float[np.ndarray, "n 2"],
    cover: UInt8[np.ndarray, "t s"],
) -> tuple[Int32[np.ndarray, "g 3"], Float[np.ndarray, "m 3"], Float[np.ndarray, "m 2"]]:
    """Triangles of what is at least half covered; vertices and their uv with those on the outline.

    Args:
        faces: triangles.
        vertices: of any frame; they keep their numbers, and others follow.
        uv: of the vertices, origin at the lower left.
        cover: of the texture, 0 to 255; its first row is v = 1.
    """
    points = np.concatenate([vertices, uv], axis=1)

    def between(
        first: Int32[np.ndarray, "e"], second: Int32[np.ndarray, "e"], at: Any
    ) -> Int32[np.ndarray, "e"]:
        """Numbers of new vertices on edges: at the first ones for 0, at the second ones for 1."""
        nonlocal points
        numbers = np.arange(len(points), len(points) + len(first), dtype=np.int32)
        start = points[first]
        points = np.concatenate([points, start + at * (points[second] - start)])
        return numbers

    def cover_of(corners: Float[np.ndarray, "f k 5"]) -> Float[np.ndarray, "f k"]:
        return _cover_at(corners[..., 3:], cover)

    kept: list[Int32[np.ndarray, "g 3"]] = []
    undecided = faces
    for _ in range(HALVINGS):
        corners = points[undecided]
        sides = 0.5 * (corners + np.roll(corners, -1, axis=1))
        middle = corners.mean(axis=1, keepdims=True)
        covered = cover_of(np.concatenate([corners, sides, middle], axis=1))
        whole, none = covered.min(axis=1) >= CUTOFF, covered.max(axis=1) < CUTOFF
        kept.append(undecided[whole])
        a, b, c = undecided[~(whole | none)].T
        ab, bc, ca = between(a, b, 0.5), between(b, c, 0.5), between(c, a, 0.5)
        parts = (a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)
        undecided = np.concatenate([np.stack(part, axis=1) for part in parts])
    covered = cover_of(points[undecided])
    inside = covered >= CUTOFF
    kept.append(undecided[inside.all(axis=1)])
    for count in (1, 2):
        some = inside.sum(axis=1) == count
        alone = (inside[some] if count == 1 else ~inside[some]).argmax(axis=1)
        order = (alone[:, None] + np.arange(3)) % 3  # who differs from the other two comes first
        apex, left, right = np.take_along_axis(undecided[some], order, axis=1).T
        start, *ends = np.take_along_axis(covered[some], order, axis=1).T
        to_left, to_right = (
            between(apex, corner, ((CUTOFF - start) / (end - start))[:, None])
            for corner, end in zip((left, right), ends, strict=True)
        )
        if count == 1:
            kept.append(np.stack([apex, to_left, to_right], axis=1))
        else:
            kept.append(np.stack([to_left, left, right], axis=1))
            kept.append(np.stack([to_left, right, to_right], axis=1))
    return np.concatenate(kept).astype(np.int32), points[:, :3], points[:, 3:]


def _cover_at(
    uv: Float[np.ndarray, "f k 2"], cover: UInt8[np.ndarray, "t s"]
) -> Float[np.ndarray, "f k"]:
    """Between texels, in [0, 1]."""
    high, wide = cover.shape
    places = np.clip(texels_from_uv(uv, (high, wide)) - 0.5, 0.0, [wide - 1.0, high - 1.0])
    column, row = np.minimum(places.astype(int), [wide - 2, high - 2]).transpose(2, 0, 1)
    across, down = places[..., 0] - column, places[..., 1] - row
    upper, lower = (
        (1.0 - across) * cover[each, column] + across * cover[each, column + 1]
        for each in (row, row + 1)
    )
    return ((1.0 - down) * upper + down * lower) / 255.0
