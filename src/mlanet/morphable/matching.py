"""Closest points of two surfaces that are the same place of a face, and which are not."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.geometry import (
    MeshTopology,
    SurfaceIndex,
    SurfacePoints,
    connected_pieces,
    face_normals,
    on_border,
    vertex_normals,
)
from mlanet.morphable.model import MorphableModel

BEHIND_OPENINGS = ("eyes", "mouth")
"""Regions of the embedded model behind lids and lips: other models lack them or have other ones."""

SAME_SIDE = 0.5
"""Least cosine of the angle between the normals of a match."""

COVERED_MM = 3.0
"""Greatest distance of a vertex from the surface that covers it."""

TEAR, TEAR_MM = 2.0, 0.5
"""An expression stretches an edge by at most this multiple of its length plus this much."""

ISLAND = 0.01
"""Share of the covered vertices below which a connected part of them is dropped."""


class Target:
    """Another model's mean, ready to be searched."""

    def __init__(self, model: MorphableModel) -> None:
        self.vertices = np.asarray(model.shape.mean, dtype=np.float64)
        self.topology = MeshTopology(model.base_faces, len(self.vertices))
        self.index = SurfaceIndex(self.vertices, self.topology)
        self.normals = vertex_normals(
            self.vertices, self.topology.faces, self.topology.faces_of_vertex
        )
        normals = face_normals(self.vertices, self.topology.faces)
        length = np.linalg.norm(normals, axis=1, keepdims=True)
        self.face_normals = normals / np.maximum(length, 1e-12)

    def match(
        self, points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], far_mm: float
    ) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
        """Closest points, and which of them are near, of the same side and inside the mesh."""
        found = self.index.query(points)
        good = found.distance < far_mm
        good &= (self.face_normals[found.face_index] * normals).sum(axis=1) > SAME_SIDE
        return found.points, good & ~on_border(found, self.topology)


def covered_vertices(
    embedded: MorphableModel,
    surface: Float[np.ndarray, "w 3"],
    found: SurfacePoints,
    target: Target,
) -> Bool[np.ndarray, "v"]:
    """Which vertices of the other model the embedded model's surface covers.

    Args:
        embedded: the embedded model.
        surface: its decoded vertices, laid onto the target.
        found: the surface's points that are closest to the target's vertices.
        target: the other model's mean.
    """
    topology = embedded.topology
    normals = vertex_normals(surface, topology.faces, topology.faces_of_vertex)
    corners: Int[np.ndarray, "v 3"] = topology.faces[found.face_index]
    here = (normals[corners] * found.barycentric[..., None]).sum(axis=1)
    behind = embedded.region(*BEHIND_OPENINGS)[corners]
    covered = found.distance < COVERED_MM
    covered &= (here * target.normals).sum(axis=1) > SAME_SIDE
    covered &= (behind * found.barycentric).sum(axis=1) < 0.5
    covered &= ~on_border(found, topology)
    return _consistent(embedded, corners, found.barycentric, covered, target)


def _consistent(
    embedded: MorphableModel,
    corners: Int[np.ndarray, "v 3"],
    barycentric: Float[np.ndarray, "v 3"],
    covered: Bool[np.ndarray, "v"],
    target: Target,
) -> Bool[np.ndarray, "v"]:
    """Covered vertices without those that lie on the wrong lip or lid.

    Closed lips touch, so that closest points mix them up. Expressions part them: edges of the
    other mesh that some expression would tear are cut, and islands that remain are dropped.
    """
    modes = embedded.shape.expression
    fine = embedded.subdivide(modes.reshape(len(modes), -1))
    edges = target.topology.edges
    edges = edges[covered[edges].all(axis=1)]
    first, second = (
        (fine[corners[end]] * barycentric[end, :, None]).sum(axis=1) for end in edges.T
    )
    tear = np.linalg.norm((first - second).reshape(len(edges), 3, -1), axis=1).max(axis=1)
    length = np.linalg.norm(target.vertices[edges[:, 0]] - target.vertices[edges[:, 1]], axis=1)
    whole = edges[tear < TEAR * length + TEAR_MM]
    label = connected_pieces(whole, len(covered))
    size = np.bincount(label[covered], minlength=int(label.max()) + 1)
    return covered & (size[label] > ISLAND * covered.sum())


def edge_differences(topology: MeshTopology) -> Any:
    """Sparse matrix (edges, vertices) of differences along edges."""
    from scipy.sparse import csr_matrix

    edges = topology.edges
    row = np.repeat(np.arange(len(edges)), 2)
    sign = np.tile([1.0, -1.0], len(edges))
    return csr_matrix((sign, (row, edges.reshape(-1))), shape=(len(edges), topology.num_vertices))
