"""Jaw landmarks that follow the visible outline, as 2D annotators mark them.

Landmark marching (Zhu, Lei, Yan, Yi and Li, High-fidelity pose and expression normalization, CVPR
2015, section 3.1): each jaw point may slide along the level line of the surface that leads from its
own place over the cheek; in a picture it is the point of its line that lies farthest out.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from mlanet.coefficients import Array, array_namespace
from mlanet.morphable import LinearShape, MorphableModel

JawKind = Literal["surface", "contour"]
"""What the 17 jaw points of labels are: points of the surface, or of the visible outline."""

NUM_JAW = 17
"""The first of the 68 landmarks; the middle one is the chin, which does not slide."""

INNERMOST = 0.4
"""Lines end at this share of the landmark's distance from the middle: before eye, nose and lips."""


@dataclass(frozen=True, slots=True, eq=False)
class JawLines:
    """The 68 landmarks and the points that those of the jaw may slide to.

    Attributes:
        shape: the model of the 68 landmarks, followed by the other points of the lines.
        candidates: of each jaw landmark, which points of `shape` it may be; its own place first,
            and again where a line is shorter than the longest.
    """

    shape: LinearShape
    candidates: Int[np.ndarray, "17 c"]


@lru_cache(maxsize=4)
def jaw_lines(model: MorphableModel) -> JawLines:
    """The lines of a face model, cut from its mean face.

    Raises:
        AssetError: the places of the 68 landmarks on the model are not known.
    """
    from trimesh import Trimesh
    from trimesh.intersections import mesh_plane
    from trimesh.triangles import points_to_barycentric

    own = model.landmarks
    mean = model.shape.mean.astype(np.float64)
    face = model.regions.get("face", np.zeros(len(mean))) > 0.0
    used = face[model.base_faces].all(axis=1)
    if not face.any():  # models without regions
        used = np.ones(len(model.base_faces), bool)
    triangles = model.base_faces[used]
    surface = Trimesh(mean, triangles, process=False)
    faces, weights, lines = [np.zeros(0, int)], [np.zeros((0, 3))], []
    count = len(own.mean)
    for number, start in enumerate(own.mean[:NUM_JAW].astype(np.float64)):
        cut, index = mesh_plane(surface, [0.0, 1.0, 0.0], start, return_faces=True)
        points, index = cut.reshape(-1, 3), np.repeat(index, 2)
        aside = points[:, 0] * np.sign(start[0])
        on_line = (aside > INNERMOST * abs(start[0])) & (points[:, 2] > start[2])
        on_line &= number != NUM_JAW // 2
        points, first = np.unique(points[on_line].round(3), axis=0, return_index=True)
        index = index[on_line][first]  # of the two triangles of an edge, one
        faces.append(np.flatnonzero(used)[index])
        weights.append(points_to_barycentric(mean[triangles[index]], points))
        lines.append(np.append(number, np.arange(count, count + len(index))))
        count += len(index)
    longest = max(map(len, lines))
    candidates = [np.append(line, np.full(longest - len(line), line[0])) for line in lines]
    others = model.surface_shape(np.concatenate(faces), np.concatenate(weights).astype(np.float32))
    parts = (
        np.concatenate([getattr(own, name), getattr(others, name)])
        for name in ("mean", "identity", "expression")
    )
    return JawLines(LinearShape(*parts), np.stack(candidates))


def outline_points(
    points_px: Float[Array, "b m d"],
    rotation: Float[Array, "b 3 3"],
    candidates: Int[Array, "17 c"],
) -> Int[Array, "b 68"]:
    """Which points of `JawLines.shape` the 68 landmarks are in pictures of a pose.

    Farthest out is meant across the head: at right angles to its upright axis in the picture.

    Args:
        points_px: all points of the lines in each picture, x and y first.
        rotation: model to camera of each face.
        candidates: those of the lines.
    """
    xp = array_namespace(points_px, rotation)
    lines, length = candidates.shape
    flat = xp.reshape(candidates, (-1,))
    up = rotation[:, :2, 1]  # of the head, in the picture; across points to its left side
    across = points_px[..., 1] * up[:, :1] - points_px[..., 0] * up[:, 1:]
    along = xp.reshape(xp.take(across, flat, axis=1), (-1, lines, length))
    numbers = xp.arange(lines)
    outward = xp.astype(xp.sign(numbers - lines // 2), along.dtype)
    best = xp.argmax(along * outward[None, :, None], axis=-1)
    jaw = xp.take(flat, xp.reshape(best + length * numbers, (-1,)), axis=0)
    jaw = xp.reshape(jaw, (-1, lines))
    rest = xp.broadcast_to(xp.arange(lines, 68)[None], (jaw.shape[0], 68 - lines))
    return xp.concat([jaw, xp.astype(rest, jaw.dtype)], axis=1)
