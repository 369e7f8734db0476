"""Fit a face model to a triangle mesh of a head."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial.transform import Rotation

from mlanet.evaluation.surfaces.face_shape import FaceComparison
from mlanet.geometry import (
    MeshTopology,
    Similarity,
    fit_similarity,
    on_border,
    vertex_normals,
)
from mlanet.metrics import Surface
from mlanet.morphable import LinearShape, MorphableModel
from mlanet.morphable.least_squares import bounded_step

NOISE_MM = 0.1
SLIDING_NOISE_MM = 0.35
"""Standard deviation of a vertex across the surface, and along it from one step to the next."""

STEPS = 16
FAR_MM = 8.0
"""Vertices farther from the surface, or facing another way, are left out of a step."""

LANDMARK_NOISE_MM = 0.5


@dataclass(frozen=True)
class SurfaceFit:
    """Coefficients and the similarity that carries the model (mm) onto the mesh."""

    identity: np.ndarray
    expression: np.ndarray
    pose: Similarity


def fit_surface(
    model: MorphableModel,
    target: Surface,
    landmarks: np.ndarray,
    numbers: Sequence[int],
    *,
    expression_sd: float = 0.3,
) -> SurfaceFit:
    """Iterated closest points of the face's skin with the model's prior.

    The target's landmarks, with their iBUG `numbers`, start it and are not used after that.
    """
    decoded = np.unique(FaceComparison(model).faces)
    rows = decoded[decoded < model.num_base_vertices]
    numbers = np.asarray(numbers)
    double = lambda array: array.astype(np.float64)  # noqa: E731
    shape, marks = model.shape.convert(double), model.landmarks.convert(double)
    counts = shape.identity.shape[-1], shape.expression.shape[-1]
    low, high = np.repeat([-3.0, 0.0], counts), np.repeat([3.0, 1.0], counts)
    sd = np.repeat([1.0, expression_sd], counts)
    fit = SurfaceFit(
        np.zeros(counts[0]), np.zeros(counts[1]), fit_similarity(marks.mean[numbers], landmarks)
    )
    fixed = np.zeros((1, 7 + sum(counts)), bool)
    for step in range(STEPS):
        first = step < 4
        points = marks.only(numbers) if first else shape.only(rows)
        here = fit.pose.apply(points(fit.identity, fit.expression))
        if first:
            residual, noise = landmarks - here, LANDMARK_NOISE_MM
            precision = np.broadcast_to(np.eye(3) / noise, (len(here), 3, 3))
        else:
            whole = fit.pose.apply(shape(fit.identity, fit.expression))
            base = MeshTopology(model.base_faces, len(whole))
            mine = vertex_normals(whole, base.faces, base.faces_of_vertex)[rows]
            found = target.index.query(here)
            corners = target.normals[target.topology.faces[found.face_index]]
            normal = (corners * found.barycentric[..., None]).sum(axis=1)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            residual = found.points - here
            used = (np.linalg.norm(residual, axis=1) < FAR_MM) & ((mine * normal).sum(1) > 0.5)
            used &= ~on_border(found, target.topology)
            outer = normal[:, :, None] * normal[:, None, :]
            along = np.eye(3) - outer
            precision = (outer / NOISE_MM + along / SLIDING_NOISE_MM) * used[:, None, None]
        fit, fixed = _step(points, fit, here, residual, precision, sd, (low, high), fixed)
    return fit


def _step(
    points: LinearShape,
    fit: SurfaceFit,
    here: np.ndarray,
    residual: np.ndarray,
    precision: np.ndarray,
    sd: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    fixed: np.ndarray,
) -> tuple[SurfaceFit, np.ndarray]:
    basis = np.concatenate([points.identity, points.expression], axis=-1)
    coefficients = np.concatenate([fit.identity, fit.expression])
    local = here - fit.pose.translation
    rows = np.empty((len(here), 3, 7 + len(coefficients)))
    rows[..., :3] = -np.cross(local[:, None, :], np.eye(3), axis=-1).transpose(0, 2, 1)
    rows[..., 3:6] = np.eye(3)
    rows[..., 6] = local
    rows[..., 7:] = (fit.pose.scale * fit.pose.rotation) @ basis
    rows = (precision @ rows).reshape(-1, rows.shape[-1])
    right = (precision @ residual[..., None]).ravel() + rows[:, 7:] @ coefficients
    # The same least squares with as many rows as unknowns.
    triangle = np.linalg.cholesky(rows.T @ rows + 1e-9 * np.eye(rows.shape[1])).T
    target = np.linalg.solve(triangle.T, rows.T @ right)
    pose_free = np.full(7, np.inf)
    spread = np.concatenate([[0.5] * 3, [50.0] * 3, [0.3], sd])[None]
    limits = tuple(
        np.concatenate([sign * pose_free, part]) for sign, part in zip((-1, 1), bounds, strict=True)
    )
    current = np.concatenate([np.zeros(7), coefficients])[None]
    held = fixed | (limits[0] == limits[1])
    found, fixed = bounded_step(
        triangle[None], target[None], np.zeros_like(current), spread,
        (limits[0], limits[1]), held, current,
    )  # fmt: skip
    step = found[0]
    pose = Similarity(
        fit.pose.scale * float(np.exp(step[6])),
        Rotation.from_rotvec(step[:3]).as_matrix() @ fit.pose.rotation,
        fit.pose.translation + step[3:6],
    )
    identity, expression = np.split(step[7:], [len(fit.identity)])
    return replace(fit, identity=identity, expression=expression, pose=pose), fixed
