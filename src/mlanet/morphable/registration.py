"""The embedded model laid onto another model's mean: dense correspondence.

First the model itself is fitted (similarity and identity, as iterated closest points), then its
base mesh is deformed freely but smoothly, the stiffness falling from step to step: the scheme of
Amberg, Romdhani and Vetter, "Optimal step nonrigid ICP algorithms for surface registration",
CVPR 2007, with displacements in place of affine maps, since the model fit leaves little rotation.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from mlanet.errors import AssetError
from mlanet.geometry import (
    MeshTopology,
    SurfaceIndex,
    SurfacePoints,
    fit_similarity,
    vertex_normals,
)
from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.least_squares import ridge
from mlanet.morphable.matching import (
    BEHIND_OPENINGS,
    Target,
    covered_vertices,
    edge_differences,
)
from mlanet.morphable.model import MorphableModel

ANCHORS = (8, *range(17, 68))
"""Landmarks that mean the same point on every model: not those along the jaw, which depend on
whether its edge or a contour was marked; the chin is the same."""

MIN_ANCHORS = 6

FIT_STEPS = 12
FIT_PRIOR = 0.5
"""Weight of a coefficient's square beside squared millimetres at 1,000 points."""

STIFFNESS = (50.0, 20.0, 8.0, 3.0, 1.0, 0.5)
"""Weight of the displacements' differences along edges, beside that of a match, falling."""

STEPS_EACH = 2
ANCHOR_WEIGHT = (4.0, 2.0, 1.0, 0.5, 0.2, 0.0)
"""Of a landmark beside a match, falling as `STIFFNESS` does: annotators differ by millimetres."""

REACH_MM = (20.0, 15.0, 10.0, 8.0, 6.0, 6.0)
"""Matches farther apart are left out; falling as `STIFFNESS` does, in the model fit all the way."""

EARS = "ears"
"""Region left to the free deformation: folds find wrong matches, which modes would follow."""

EAR_EDGE = 0.1
"""Of the region's mask."""


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
    target = Target(other)
    faces, weights = other.landmark_faces[anchors], other.landmark_barycentric[anchors]
    goal = (target.vertices[other.base_faces[faces]] * weights[..., None]).sum(axis=1)
    matched = _matched(embedded)
    base = _fit_model(
        embedded, target, anchors, goal, matched & (embedded.regions[EARS] < EAR_EDGE)
    )
    base = _deform(embedded, base, target, anchors, goal, matched)
    surface = embedded.subdivide(base)
    found = SurfaceIndex(surface, embedded.topology).query(target.vertices)
    correspondence = Correspondence(
        model_sha256=embedded.provenance.sha256,
        face_index=found.face_index.astype(np.int32),
        barycentric=found.barycentric.astype(np.float32),
        covered=covered_vertices(embedded, surface, found, target),
    )
    return Registration(surface, correspondence, found.distance)


def landmarks_of(
    embedded: MorphableModel, surface: Float[np.ndarray, "w 3"], other: MorphableModel
) -> SurfacePoints:
    """Where the embedded model's 68 landmarks lie on another model's mean after registration."""
    base = surface[: embedded.num_base_vertices]
    corners = base[embedded.base_faces[embedded.landmark_faces]]
    points = (corners * embedded.landmark_barycentric[..., None]).sum(axis=1)
    topology = MeshTopology(other.base_faces, other.num_base_vertices)
    return SurfaceIndex(other.shape.mean, topology).query(points)


def _matched(embedded: MorphableModel) -> Bool[np.ndarray, "v"]:
    """Base vertices that have a counterpart on other models."""
    behind = np.maximum.reduce([embedded.regions[name] for name in BEHIND_OPENINGS]) > 0.5
    topology = MeshTopology(embedded.base_faces, embedded.num_base_vertices)
    return ~behind & ~topology.border_vertices


def _fit_model(
    embedded: MorphableModel,
    target: Target,
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
        far = REACH_MM[0] + share * (REACH_MM[-1] - REACH_MM[0])
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


def _deform(
    embedded: MorphableModel,
    base: Float[np.ndarray, "v 3"],
    target: Target,
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
    for stiffness, anchor, reach in zip(STIFFNESS, ANCHOR_WEIGHT, REACH_MM, strict=True):
        for _ in range(STEPS_EACH):
            normals = vertex_normals(base, topology.faces, topology.faces_of_vertex)
            points, good = target.match(base, normals, reach)
            data: Any = diags((good & matched).astype(np.float64))
            left = data + stiffness * smooth + anchor * (marks.T @ marks)
            right = data @ (points - base) + anchor * (marks.T @ (goal - marks @ base))
            # A hair of weight on staying: parts without any match are still determined.
            solve = splu((left + 1e-6 * diags(np.ones(len(base)))).tocsc())
            base = base + solve.solve(np.asarray(right))
    return base
