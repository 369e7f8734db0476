"""The embedded model laid onto another model's mean: dense correspondence.

First the model itself is fitted (similarity and identity, as iterated closest points), then its
base mesh is deformed freely but smoothly, the stiffness falling from step to step: the scheme of
Amberg, Romdhani and Vetter, "Optimal step nonrigid ICP algorithms for surface registration",
CVPR 2007, with displacements in place of affine maps, since the model fit leaves little rotation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.errors import AssetError
from mlanet.geometry import (
    MeshTopology,
    SurfaceIndex,
    SurfacePoints,
    face_normals,
    fit_similarity,
    vertex_normals,
)
from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.model import MorphableModel

ANCHORS = (8, *range(17, 68))
"""Landmarks that mean the same point on every model: not those along the jaw, which depend on
whether its edge or a contour was marked; the chin is the same."""

MIN_ANCHORS = 6

MEMBRANES = ("eyes", "mouth")
"""Regions of the embedded model that other models do not have as a surface."""

FIT_STEPS = 12
FIT_PRIOR = 0.5
"""Weight of a coefficient's square beside squared millimetres at 1,000 points."""

STIFFNESS = (50.0, 20.0, 8.0, 3.0, 1.0, 0.5)
"""Weight of the displacements' differences along edges, beside that of a match, falling."""

STEPS_EACH = 2
ANCHOR_WEIGHT = (4.0, 2.0, 1.0, 0.5, 0.2, 0.0)
"""Of a landmark beside a match, falling as `STIFFNESS` does: annotators differ by millimetres."""

FAR_MM = (20.0, 6.0)
"""Matches farther apart are left out, at the first and from the last step of the model fit on."""

COVERED_MM = 3.0
SAME_SIDE = 0.5
"""Least cosine of the angle between the normals of a match."""

TEAR, TEAR_MM = 2.0, 0.5
"""An expression stretches an edge by at most this multiple of its length plus this much."""

ISLAND = 0.01
"""Share of the covered vertices below which a connected part of them is dropped."""


@dataclass(frozen=True, eq=False)
class Registration:
    """The embedded model's decoded mesh in the other model's frame, and what it means.

    Attributes:
        surface: decoded vertices, deformed, mm in the other model's frame.
        correspondence: of the other model's vertices.
        distance_mm: of each of its vertices from the surface.
    """

    surface: Float[np.ndarray, "w 3"]
    correspondence: Correspondence
    distance_mm: Float[np.ndarray, "v"]


def register(embedded: MorphableModel, other: MorphableModel) -> Registration:
    """Dense correspondence of another model to the embedded one by non-rigid registration.

    Args:
        embedded: with regions, all 68 landmarks and the hash of its file.
        other: decoded without subdivision; at least `MIN_ANCHORS` of the `ANCHORS` known.

    Raises:
        AssetError: the other model's landmarks do not suffice.
    """
    anchors = [k for k in ANCHORS if other.known_landmarks[k]]
    if len(anchors) < MIN_ANCHORS:
        raise AssetError(
            f"the face model {other.name} has {len(anchors)} known landmarks beside the jaw,"
            f" registration needs {MIN_ANCHORS}: give them with --landmarks FILE"
        )
    target = _Target(other)
    faces, weights = other.landmark_faces[anchors], other.landmark_barycentric[anchors]
    goal = (target.vertices[other.base_faces[faces]] * weights[..., None]).sum(axis=1)
    matched = _matched(embedded)
    base = _fit_model(embedded, target, anchors, goal, matched)
    base = _deform(embedded, base, target, anchors, goal, matched)
    surface = embedded.subdivide(base)
    return _correspond(embedded, surface, target)


def landmarks_of(
    embedded: MorphableModel, surface: Float[np.ndarray, "w 3"], other: MorphableModel
) -> SurfacePoints:
    """Where the embedded model's 68 landmarks lie on another model's mean after registration."""
    base = surface[: embedded.num_base_vertices]
    corners = base[embedded.base_faces[embedded.landmark_faces]]
    points = (corners * embedded.landmark_barycentric[..., None]).sum(axis=1)
    topology = MeshTopology(other.base_faces, other.num_base_vertices)
    return SurfaceIndex(other.shape.mean, topology).query(points)


class _Target:
    """The other model's mean, ready to be searched."""

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
        self.border = border_vertices(self.topology)

    def match(
        self, points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], far_mm: float
    ) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
        """Closest points, and which of them are near, of the same side and inside the mesh."""
        found = self.index.query(points)
        good = found.distance < far_mm
        good &= (self.face_normals[found.face_index] * normals).sum(axis=1) > SAME_SIDE
        return found.points, good & ~on_border(found, self.topology, self.border)


def border_vertices(topology: MeshTopology) -> Bool[np.ndarray, "v"]:
    """Vertices of edges that one triangle alone has."""
    pairs = np.sort(topology.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edges, count = np.unique(pairs, axis=0, return_counts=True)
    found = np.zeros(topology.num_vertices, dtype=bool)
    found[edges[count == 1]] = True
    return found


def on_border(
    points: SurfacePoints, topology: MeshTopology, border: Bool[np.ndarray, "v"]
) -> Bool[np.ndarray, "n"]:
    """Points on a vertex or an edge of the border: beyond it is where they were looked for."""
    inside = ~border[topology.faces[points.face_index]]
    return np.asarray(~(inside & (points.barycentric > 1e-6)).any(axis=1))


def _matched(embedded: MorphableModel) -> Bool[np.ndarray, "v"]:
    """Base vertices that have a counterpart on other models."""
    membrane = np.maximum.reduce([embedded.regions[name] for name in MEMBRANES]) > 0.5
    topology = MeshTopology(embedded.base_faces, embedded.num_base_vertices)
    return ~membrane & ~border_vertices(topology)


def _fit_model(
    embedded: MorphableModel,
    target: _Target,
    anchors: list[int],
    goal: Float[np.ndarray, "k 3"],
    matched: Bool[np.ndarray, "v"],
) -> Float[np.ndarray, "v 3"]:
    """Base vertices of the embedded model fitted to the target by similarity and identity."""
    topology = MeshTopology(embedded.base_faces, embedded.num_base_vertices)
    mean, modes = (
        np.asarray(part, dtype=np.float64)
        for part in (embedded.shape.mean, embedded.shape.identity)
    )
    marks = embedded.landmarks
    mark_mean, mark_modes = (
        np.asarray(part[anchors], dtype=np.float64) for part in (marks.mean, marks.identity)
    )
    identity = np.zeros(modes.shape[-1])
    motion = fit_similarity(mark_mean, goal)
    for step in range(FIT_STEPS):
        share = step / (FIT_STEPS - 1)
        far = FAR_MM[0] + share * (FAR_MM[1] - FAR_MM[0])
        shape = mean + modes @ identity
        posed = motion.apply(shape)
        normals = vertex_normals(posed, topology.faces, topology.faces_of_vertex)
        points, good = target.match(posed, normals, far)
        chosen = np.flatnonzero(good & matched)
        here = np.concatenate([shape[chosen], mark_mean + mark_modes @ identity])
        there = np.concatenate([points[chosen], goal])
        weight = np.concatenate(
            [
                np.full(len(chosen), 1000.0 / max(len(chosen), 1)),
                np.full(len(anchors), (1.0 - 0.9 * share) * 500.0 / len(anchors)),
            ]
        )
        motion = fit_similarity(here, there, weights=weight)
        unposed = motion.undo(there)
        rows = np.concatenate([modes[chosen], mark_modes])
        rest = unposed - np.concatenate([mean[chosen], mark_mean])
        identity = ridge(rows, rest, weight, FIT_PRIOR * np.ones(modes.shape[-1]))
    return motion.apply(mean + modes @ identity)


def ridge(
    rows: Float[np.ndarray, "n 3 k"],
    rest: Float[np.ndarray, "n 3"],
    weight: Float[np.ndarray, "n"],
    prior: Float[np.ndarray, "k"],
) -> Float[np.ndarray, "k"]:
    """Coefficients that minimise weighted squared distances plus `prior` times their squares."""
    count = rows.shape[-1]
    scaled = (rows * np.sqrt(weight)[:, None, None]).reshape(-1, count)
    right = (rest * np.sqrt(weight)[:, None]).reshape(-1)
    return np.linalg.solve(scaled.T @ scaled + np.diag(prior), scaled.T @ right)


def _deform(
    embedded: MorphableModel,
    base: Float[np.ndarray, "v 3"],
    target: _Target,
    anchors: list[int],
    goal: Float[np.ndarray, "k 3"],
    matched: Bool[np.ndarray, "v"],
) -> Float[np.ndarray, "v 3"]:
    """Smooth displacements, coarse to fine, that lay the base mesh onto the target."""
    from scipy.sparse import csr_matrix, diags
    from scipy.sparse.linalg import splu

    topology = MeshTopology(embedded.base_faces, embedded.num_base_vertices)
    differences = edge_differences(topology)
    smooth: Any = differences.T @ differences
    rows = np.repeat(np.arange(len(anchors)), 3)
    corners = embedded.base_faces[embedded.landmark_faces[anchors]]
    marks: Any = csr_matrix(
        (embedded.landmark_barycentric[anchors].reshape(-1), (rows, corners.reshape(-1))),
        shape=(len(anchors), len(base)),
    )
    for stiffness, anchor in zip(STIFFNESS, ANCHOR_WEIGHT, strict=True):
        for _ in range(STEPS_EACH):
            normals = vertex_normals(base, topology.faces, topology.faces_of_vertex)
            points, good = target.match(base, normals, FAR_MM[1])
            data: Any = diags((good & matched).astype(np.float64))
            left = data + stiffness * smooth + anchor * (marks.T @ marks)
            right = data @ (points - base) + anchor * (marks.T @ (goal - marks @ base))
            # A hair of weight on staying: parts without any match are still determined.
            solve = splu((left + 1e-6 * diags(np.ones(len(base)))).tocsc())
            base = base + solve.solve(np.asarray(right))
    return base


def edge_differences(topology: MeshTopology) -> Any:
    """Sparse matrix (edges, vertices) of differences along edges."""
    from scipy.sparse import csr_matrix

    edges = topology.edges
    row = np.repeat(np.arange(len(edges)), 2)
    sign = np.tile([1.0, -1.0], len(edges))
    return csr_matrix((sign, (row, edges.reshape(-1))), shape=(len(edges), topology.num_vertices))


def _correspond(
    embedded: MorphableModel, surface: Float[np.ndarray, "w 3"], target: _Target
) -> Registration:
    topology = embedded.topology
    found = SurfaceIndex(surface, topology).query(target.vertices)
    normals = vertex_normals(surface, topology.faces, topology.faces_of_vertex)
    corners: Int[np.ndarray, "v 3"] = topology.faces[found.face_index]
    here = (normals[corners] * found.barycentric[..., None]).sum(axis=1)
    membrane = embedded.region(*MEMBRANES)[corners]
    covered = found.distance < COVERED_MM
    covered &= (here * target.normals).sum(axis=1) > SAME_SIDE
    covered &= (membrane * found.barycentric).sum(axis=1) < 0.5
    covered &= ~on_border(found, topology, border_vertices(topology))
    covered = _consistent(embedded, corners, found.barycentric, covered, target)
    correspondence = Correspondence(
        model_sha256=embedded.provenance.sha256,
        face_index=found.face_index.astype(np.int32),
        barycentric=found.barycentric.astype(np.float32),
        covered=covered,
    )
    return Registration(surface, correspondence, found.distance)


def _consistent(
    embedded: MorphableModel,
    corners: Int[np.ndarray, "v 3"],
    barycentric: Float[np.ndarray, "v 3"],
    covered: Bool[np.ndarray, "v"],
    target: _Target,
) -> Bool[np.ndarray, "v"]:
    """Covered vertices without those that lie on the wrong lip or lid.

    Closed lips touch, so that closest points mix them up. Expressions part them: edges of the
    other mesh that some expression would tear are cut, and islands that remain are dropped.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

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
    count = len(covered)
    graph = csr_matrix((np.ones(len(whole)), (whole[:, 0], whole[:, 1])), shape=(count, count))
    _, label = connected_components(graph, directed=False)
    size = np.bincount(label[covered], minlength=int(label.max()) + 1)
    return covered & (size[label] > ISLAND * covered.sum())
