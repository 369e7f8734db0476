"""Closest points on triangle meshes."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.errors import ConfigurationError
from mlanet.extras import install_command
from mlanet.geometry.mesh import MeshTopology

_NEIGHBOURS = 6
"""Vertices around a point whose triangles are looked at."""

_CHUNK = 4096

_ROWS = 256


@dataclass(frozen=True, slots=True)
class SurfacePoints:
    """Points on a mesh: triangle, weights of its corners, position and distance in mm."""

    face_index: Int[np.ndarray, "n"]
    barycentric: Float[np.ndarray, "n 3"]
    points: Float[np.ndarray, "n 3"]
    distance: Float[np.ndarray, "n"]


def on_border(points: SurfacePoints, topology: MeshTopology) -> Bool[np.ndarray, "n"]:
    """Points on a vertex or an edge of the border: beyond it is where they were looked for."""
    inside = ~topology.border_vertices[topology.faces[points.face_index]]
    return np.asarray(~(inside & (points.barycentric > 1e-6)).any(axis=1))


class SurfaceIndex:
    """Finds the closest points of one mesh.

    Only triangles around the `_NEIGHBOURS` vertices nearest to a point are looked at, which is
    exact unless triangles are very long; `closest_points_naive` looks at all of them.
    """

    def __init__(self, vertices: Float[np.ndarray, "v 3"], topology: MeshTopology) -> None:
        """Of a mesh.

        Raises:
            ConfigurationError: scipy is not installed.
        """
        try:
            from scipy.spatial import KDTree
        except ImportError as error:
            needed = install_command("evaluate")
            raise ConfigurationError(f"comparing surfaces needs: {needed}") from error
        self._vertices = np.asarray(vertices, dtype=np.float64)
        self._faces = topology.faces
        used = np.unique(topology.faces)
        self._tree: Any = KDTree(self._vertices[used])
        self._around = topology.faces_of_vertex[used]

    def query(self, points: Float[np.ndarray, "n 3"]) -> SurfacePoints:
        """The point of the surface that is closest to each of `points`."""
        parts = [
            self._query(np.asarray(points[start : start + _CHUNK], dtype=np.float64))
            for start in range(0, len(points), _CHUNK)
        ]
        return SurfacePoints(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("face_index", "barycentric", "points", "distance")
            )
        )

    def _query(self, points: Float[np.ndarray, "n 3"]) -> SurfacePoints:
        from mlanet.geometry.closest_loops import closest_of_candidates

        _, nearest = self._tree.query(points, k=min(_NEIGHBOURS, self._tree.n))
        candidates = self._around[nearest.reshape(len(points), -1)].reshape(len(points), -1)
        found = np.zeros(len(points), dtype=np.int32)
        weights = np.zeros((len(points), 3))
        closest_of_candidates(points, self._vertices, self._faces, candidates, found, weights)
        feet = (self._vertices[self._faces[found]] * weights[..., None]).sum(axis=-2)
        return SurfacePoints(found, weights, feet, np.linalg.norm(feet - points, axis=-1))


def distance_to_nearest(
    points: Float[np.ndarray, "n d"], others: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, "n"]:
    """Distance of each point to the nearest of a few others, by looking at all of them."""
    least = np.zeros(len(points))
    for start in range(0, len(points), _ROWS):
        apart = points[start : start + _ROWS, None] - others
        least[start : start + _ROWS] = np.square(apart).sum(axis=-1).min(axis=-1)
    return np.sqrt(least)


def closest_points_naive(
    points: Float[np.ndarray, "n 3"],
    vertices: Float[np.ndarray, "v 3"],
    faces: Int[np.ndarray, "f 3"],
) -> SurfacePoints:
    """The closest points, found by looking at every triangle: the oracle of `SurfaceIndex`."""
    weights = barycentric_of_closest(points[:, None], vertices[faces][None])
    feet = (vertices[faces] * weights[..., None]).sum(axis=-2)
    distance = np.linalg.norm(feet - points[:, None], axis=-1)
    row, column = np.arange(len(points)), distance.argmin(axis=1)
    return SurfacePoints(
        column.astype(np.int32), weights[row, column], feet[row, column], distance[row, column]
    )


def barycentric_of_closest(
    points: Float[np.ndarray, "*n 3"], corners: Float[np.ndarray, "*n 3 3"]
) -> Float[np.ndarray, "*n 3"]:
    """Weights of the point of a triangle that is closest to a point.

    The foot of the perpendicular, if it is inside, else the best point of the three edges.
    """
    a, b, c = (corners[..., k, :] for k in range(3))
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = _dot(ab, ab), _dot(ab, ac), _dot(ac, ac)
    d20, d21 = _dot(ap, ab), _dot(ap, ac)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-30)
    v, w = (d11 * d20 - d01 * d21) / area, (d00 * d21 - d01 * d20) / area
    inside = np.stack([1.0 - v - w, v, w], axis=-1)
    best = inside
    far = np.where((inside >= 0.0).all(axis=-1), _distance2(points, corners, inside), np.inf)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        start, end = corners[..., first, :], corners[..., second, :]
        along = end - start
        share = _dot(points - start, along) / np.maximum(_dot(along, along), 1e-30)
        share = np.clip(share, 0.0, 1.0)
        weights = np.zeros_like(inside)
        weights[..., first], weights[..., second] = 1.0 - share, share
        distance = _distance2(points, corners, weights)
        closer = distance < far
        best = np.where(closer[..., None], weights, best)
        far = np.where(closer, distance, far)
    return best


def _dot(a: Float[np.ndarray, "*n 3"], b: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n"]:
    return (a * b).sum(axis=-1)


def _distance2(
    points: Float[np.ndarray, "*n 3"],
    corners: Float[np.ndarray, "*n 3 3"],
    weights: Float[np.ndarray, "*n 3"],
) -> Float[np.ndarray, "*n"]:
    apart = (corners * weights[..., None]).sum(axis=-2) - points
    return _dot(apart, apart)
