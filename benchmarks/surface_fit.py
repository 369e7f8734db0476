"""Fit a face model to a triangle mesh of a head, and how far the two surfaces are apart."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from mlanet.geometry import (
    MeshTopology,
    Similarity,
    fit_similarity,
    matrix_from_euler,
    vertex_normals,
)
from mlanet.morphable import LinearShape, MorphableModel
from mlanet.morphable.least_squares import bounded_step
from mlanet.render import rasterize

CANDIDATES = 12
"""Triangles whose exact distance is looked at: those of the nearest centres."""

NOISE_MM = 0.1
SLIDING_NOISE_MM = 0.35
"""Standard deviation of a vertex across the surface, and along it from one step to the next."""

STEPS = 16
FAR_MM = 8.0
"""Vertices farther from the surface, or facing another way, are left out of a step."""

LANDMARK_NOISE_MM = 0.5


@dataclass(frozen=True)
class Surface:
    """A triangle mesh ready for closest-point queries."""

    vertices: np.ndarray
    faces: np.ndarray
    normals: np.ndarray
    inner: np.ndarray
    """Triangles without an edge on the border."""
    centres: cKDTree

    @classmethod
    def of(cls, vertices: np.ndarray, faces: np.ndarray, topology: MeshTopology) -> "Surface":
        normals = vertex_normals(vertices, topology.faces, topology.faces_of_vertex)
        edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
        key = edges[..., 0].astype(np.int64) * len(vertices) + edges[..., 1]
        _, inverse, count = np.unique(key, return_inverse=True, return_counts=True)
        inner = (count[inverse.reshape(key.shape)] > 1).all(axis=1)
        return cls(vertices, faces, normals, inner, cKDTree(vertices[faces].mean(axis=1)))

    def closest(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Nearest triangle (n,), its barycentric weights (n, 3) and the point (n, 3)."""
        _, near = self.centres.query(points, CANDIDATES)
        weights = barycentric_of_nearest(points[:, None], self.vertices[self.faces[near]])
        on = (weights[..., None] * self.vertices[self.faces[near]]).sum(axis=2)
        best = np.linalg.norm(on - points[:, None], axis=2).argmin(axis=1)
        row = np.arange(len(points))
        return near[row, best], weights[row, best], on[row, best]


def barycentric_of_nearest(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Barycentric weights (..., 3) of the nearest points of triangles (..., 3, 3)."""
    a, b, c = (triangles[..., k, :] for k in range(3))
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = (u * u).sum(-1), (u * v).sum(-1), (v * v).sum(-1)
    wu, wv = (w * u).sum(-1), (w * v).sum(-1)
    area = np.maximum(uu * vv - uv * uv, 1e-12)
    s, t = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    inside = (s >= 0) & (t >= 0) & (s + t <= 1)
    found = np.stack([1 - s - t, s, t], axis=-1)
    distance = np.where(inside, 0.0, np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, side = triangles[..., i, :], triangles[..., j, :] - triangles[..., i, :]
        along = ((points - start) * side).sum(-1) / np.maximum((side * side).sum(-1), 1e-12)
        along = np.clip(along, 0, 1)
        apart = np.linalg.norm(start + along[..., None] * side - points, axis=-1)
        weights = np.zeros_like(found)
        weights[..., i], weights[..., j] = 1 - along, along
        nearer = apart < distance
        found = np.where(nearer[..., None], weights, found)
        distance = np.where(nearer, apart, distance)
    return found


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
    *,
    expression_sd: float = 0.3,
    shape_free: bool = True,
) -> SurfaceFit:
    """Iterated closest points with the model's prior.

    The 51 inner landmarks (17-67) of the target start it and are not used after that.
    `shape_free=False` keeps the mean face and moves the pose alone.
    """
    face = model.regions["face"] > 0.5
    face &= (model.regions["eyes"] < 0.5) & (model.regions["mouth"] < 0.5)
    rows = np.flatnonzero(face)
    double = lambda array: array.astype(np.float64)  # noqa: E731
    shape, marks = model.shape.convert(double), model.landmarks.convert(double)
    counts = shape.identity.shape[-1], shape.expression.shape[-1]
    low = np.repeat([-3.0, 0.0], counts) * shape_free
    high = np.repeat([3.0, 1.0], counts) * shape_free
    sd = np.repeat([1.0, expression_sd], counts)
    fit = SurfaceFit(
        np.zeros(counts[0]), np.zeros(counts[1]), fit_similarity(marks.mean[17:], landmarks[17:])
    )
    fixed = np.zeros((1, 7 + sum(counts)), bool)
    for step in range(STEPS):
        first = step < 4
        points = marks.only(np.arange(17, 68)) if first else shape.only(rows)
        here = fit.pose.apply(points(fit.identity, fit.expression))
        if first:
            residual, noise = landmarks[17:] - here, LANDMARK_NOISE_MM
            precision = np.broadcast_to(np.eye(3) / noise, (len(here), 3, 3))
        else:
            whole = fit.pose.apply(shape(fit.identity, fit.expression))
            base = MeshTopology(model.base_faces, len(whole))
            mine = vertex_normals(whole, base.faces, base.faces_of_vertex)[rows]
            index, weights, on = target.closest(here)
            normal = (target.normals[target.faces[index]] * weights[..., None]).sum(axis=1)
            normal /= np.linalg.norm(normal, axis=1, keepdims=True)
            residual = on - here
            used = (np.linalg.norm(residual, axis=1) < FAR_MM) & ((mine * normal).sum(1) > 0.5)
            used &= target.inner[index]
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


def fitted_surface(model: MorphableModel, fit: SurfaceFit) -> np.ndarray:
    """Vertices of the subdivided model on the mesh, mm."""
    vertices = model.vertices(fit.identity.astype(np.float32), fit.expression.astype(np.float32))
    return fit.pose.apply(vertices.astype(np.float64))


def visible_from_outside(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Vertices (n,) bool of triangles seen from the front or from 45 degrees at either side.

    Openings but the outer border are closed first: what lies inside nostrils, between the lips
    and behind the lids is no face to be compared.
    """
    middle, extent = vertices.mean(axis=0), np.ptp(vertices, axis=0).max()
    loops = sorted(border_loops(faces), key=len)[:-1]
    centres = [vertices[loop].mean(axis=0) for loop in loops]
    caps = [
        np.column_stack([np.roll(loop, -1), loop, np.full(len(loop), len(vertices) + k)])
        for k, loop in enumerate(loops)
    ]
    closed = np.concatenate([faces, *caps])
    points = np.concatenate([vertices, *(centre[None] for centre in centres)])
    seen = np.zeros(len(points), bool)
    for yaw in (0, 45, -45):
        turned = (points - middle) @ matrix_from_euler(np.radians([0.0, yaw, 0.0])).T
        turned = turned * (800 / extent) + [512, 512, 2000]
        found = rasterize(turned, closed, (1024, 1024), cull_backfaces=True).face_index
        seen[closed[np.unique(found[found >= 0])]] = True
    return seen[: len(vertices)]


def border_loops(faces: np.ndarray) -> list[np.ndarray]:
    """Vertices of the mesh's borders, each in the direction of its triangles."""
    edges = faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2).tolist()
    both = set(map(tuple, edges))
    following = {a: b for a, b in edges if (b, a) not in both}
    loops = []
    while following:
        start, vertex = following.popitem()
        loop = [start]
        while vertex != start:
            loop.append(vertex)
            vertex = following.pop(vertex)
        loops.append(np.array(loop))
    return loops


def surface_distance(
    mine: Surface, my_area: np.ndarray, target: Surface, target_area: np.ndarray
) -> float:
    """Mean of the two mean point-to-surface distances between vertices and the other mesh, mm.

    Areas are bool over vertices; points nearest to a border or to what is outside of the other
    area do not count.
    """
    ways = []
    for a, area, b, other in (
        (mine, my_area, target, target_area),
        (target, target_area, mine, my_area),
    ):
        index, _, on = b.closest(a.vertices[area])
        counts = b.inner[index] & other[b.faces[index]].any(axis=1)
        ways.append(np.linalg.norm(on - a.vertices[area], axis=1)[counts].mean())
    return float(np.mean(ways))
