"""Distances between a predicted face and a scan: similarity ICP and point-to-plane in mm.

The protocol is that of MICC Florence as papers describe it (Genova et al., "Unsupervised training
for 3D morphable model regression", CVPR 2018; Gecer et al., "GANFIT", CVPR 2019; how the public
script of the latter differs is in docs/explanation/evaluation.md): the scan within 95 mm of the
tip of the
nose, alignment by iterated closest points with an isotropic scale, distances to the planes of the
closest points in both directions, averaged. What those papers leave open is fixed here: every
vertex counts by the area around it, so that the figure does not depend on how densely a mesh is
sampled; a point whose closest point lies on the other surface's border, or faces the other way,
has no counterpart and is left out, and the share that is left is `coverage`.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.geometry import (
    MeshTopology,
    Similarity,
    SurfaceIndex,
    SurfacePoints,
    face_normals,
    fit_similarity,
    matrix_from_vector,
    on_border,
    vertex_normals,
)

CROP_RADIUS_MM = 95.0
"""Of the sphere around the tip of the nose in which surfaces are compared."""

MIN_GAIN_MM = 1e-3
"""Alignment ends when a step lowers the root mean square distance by less."""

MAX_STEPS = 200

ROUGH_GAIN = 0.02
"""Points are matched to points while a step lowers the distance by more than this share."""

SAME_SIDE = 0.0
"""Least cosine of the angle between the normals of a point and its closest point."""

MAX_ALIGNED_POINTS = 2500
"""Points of each surface by which it is aligned; distances are taken at all of them."""


@dataclass(frozen=True, slots=True)
class DirectedDistance:
    """Point-to-plane distances from one surface to the other, weighted by area."""

    mean_mm: float
    rms_mm: float
    coverage: float
    """Share of the area that has a counterpart."""


@dataclass(frozen=True, slots=True)
class SurfaceDistance:
    """What `surface_distance` finds.

    `motion` brings the prediction to the scan, after so many steps.
    """

    to_scan: DirectedDistance
    from_scan: DirectedDistance
    motion: Similarity
    steps: int

    @property
    def point_to_plane_mean_mm(self) -> float:
        """Mean distance, averaged over both directions."""
        return (self.to_scan.mean_mm + self.from_scan.mean_mm) / 2.0

    @property
    def point_to_plane_rms_mm(self) -> float:
        """Root mean square distance, averaged over both directions."""
        return (self.to_scan.rms_mm + self.from_scan.rms_mm) / 2.0


class Surface:
    """A triangle mesh ready to be compared; its unit is that of the vertices."""

    def __init__(self, vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> None:
        """Vertices that no triangle uses are dropped.

        Raises:
            ValueError: there is no triangle, or a vertex is not finite.
        """
        used, renumbered = np.unique(faces, return_inverse=True)
        if not len(used):
            raise ValueError("a surface needs triangles")
        self.vertices = np.asarray(vertices, dtype=np.float64)[used]
        if not np.isfinite(self.vertices).all():
            raise ValueError("vertices must be finite")
        self.topology = MeshTopology(renumbered.reshape(-1, 3), len(used))

    def within(self, centre: Float[np.ndarray, "3"], radius: float) -> "Surface":
        """The triangles whose corners all lie in a sphere.

        Raises:
            ValueError: there are none.
        """
        inside = np.linalg.norm(self.vertices - centre, axis=1) <= radius
        return Surface(self.vertices, self.topology.faces[inside[self.topology.faces].all(axis=1)])

    @cached_property
    def areas(self) -> Float[np.ndarray, "v"]:
        """A third of the area of the triangles around each vertex."""
        normals = face_normals(self.vertices, self.topology.faces)
        each = np.repeat(np.linalg.norm(normals, axis=1) / 6.0, 3)
        return np.bincount(self.topology.faces.reshape(-1), each, len(self.vertices))

    @cached_property
    def normals(self) -> Float[np.ndarray, "v 3"]:
        """Unit normals of the vertices."""
        faces = self.topology.faces
        return vertex_normals(self.vertices, faces, self.topology.faces_of_vertex)

    @cached_property
    def triangle_normals(self) -> Float[np.ndarray, "f 3"]:
        """Unit normals of the triangles."""
        normals = face_normals(self.vertices, self.topology.faces)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-30)

    @cached_property
    def index(self) -> SurfaceIndex:
        """Finds closest points."""
        return SurfaceIndex(self.vertices, self.topology)

    def sample(self) -> Int[np.ndarray, "n"]:
        """Vertices by which the surface is aligned: all, or a fixed random choice of them."""
        count = len(self.vertices)
        if count <= MAX_ALIGNED_POINTS:
            return np.arange(count)
        return np.sort(np.random.default_rng(0).permutation(count)[:MAX_ALIGNED_POINTS])

    def spread(self, count: int) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
        """Fixed random points, spread evenly by area, and their triangles' unit normals."""
        rng = np.random.default_rng(0)
        corners = self.vertices[self.topology.faces]
        area = np.linalg.norm(face_normals(self.vertices, self.topology.faces), axis=1)
        # One point in each of `count` parts of equal area, in the order of the triangles.
        place = (np.arange(count) + rng.random(count)) / count * area.sum()
        face = np.minimum(np.searchsorted(np.cumsum(area), place), len(area) - 1)
        weights = rng.dirichlet(np.ones(3), size=count)
        return (corners[face] * weights[..., None]).sum(axis=1), self.triangle_normals[face]


def surface_distance(
    predicted: Surface,
    scan: Surface,
    nose_tip: Float[np.ndarray, "3"],
    start: Similarity,
    *,
    radius_mm: float = CROP_RADIUS_MM,
) -> SurfaceDistance:
    """Crop the scan, align the prediction to it, and measure in both directions.

    The prediction, in any unit, is the face without what no scan shows (mouth cavity, eye sockets);
    `start` roughly brings it to the scan (mm), for instance by landmarks.

    Raises:
        ValueError: nothing of the scan lies in the crop, or no points correspond.
    """
    scan = scan.within(nose_tip, radius_mm)
    motion, steps = align_surfaces(predicted, scan, nose_tip, start, radius_mm=radius_mm)
    there, back = point_to_plane(predicted, scan, nose_tip, motion, radius_mm=radius_mm)
    return SurfaceDistance(there, back, motion, steps)


def point_to_plane(
    predicted: Surface,
    scan: Surface,
    nose_tip: Float[np.ndarray, "3"],
    motion: Similarity,
    *,
    radius_mm: float = CROP_RADIUS_MM,
) -> tuple[DirectedDistance, DirectedDistance]:
    """Distances of surfaces as they lie: from the prediction to the cropped scan, and back.

    Raises:
        ValueError: no points correspond.
    """
    every = np.arange(len(predicted.vertices))
    there = _to_scan(predicted, scan, motion, nose_tip, radius_mm, every)
    back = _from_scan(predicted, scan, motion, np.arange(len(scan.vertices)))
    return there.directed(), back.directed()


def distances_to_scan(
    predicted: Surface,
    scan: Surface,
    nose_tip: Float[np.ndarray, "3"],
    motion: Similarity,
    *,
    radius_mm: float = CROP_RADIUS_MM,
) -> Float[np.ndarray, "v"]:
    """Point-to-plane distance of each of the prediction's vertices, mm; NaN without counterpart."""
    every = np.arange(len(predicted.vertices))
    matches = _to_scan(predicted, scan, motion, nose_tip, radius_mm, every)
    return np.where(matches.areas > 0.0, np.abs(matches.residuals), np.nan)


def counterpart_distances(
    points: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"], scan: Surface
) -> Float[np.ndarray, "n"]:
    """Distances of points with unit normals to the nearest ones of a scan; NaN where none is."""
    closest = scan.index.query(points)
    good = _counterparts(closest, scan, normals, scan.triangle_normals[closest.face_index])
    return np.where(good, closest.distance, np.nan)


def align_surfaces(
    predicted: Surface,
    scan: Surface,
    nose_tip: Float[np.ndarray, "3"],
    start: Similarity,
    *,
    radius_mm: float = CROP_RADIUS_MM,
) -> tuple[Similarity, int]:
    """Similarity from the prediction to the cropped scan by iterated closest points, and its steps.

    Each step matches both surfaces to each other. The first ones minimise the squared distances
    of matched points, from farther away; the others those to the matches' planes, linearised
    (Chen and Medioni, "Object modelling by registration of multiple range images", 1992).
    Matching in both directions keeps the scale from collapsing. The best motion is returned.

    Raises:
        ValueError: no points correspond.
    """
    ours, theirs = predicted.sample(), scan.sample()
    motion, best, best_rms, last, rough = start, start, np.inf, np.inf, True
    for step in range(1, MAX_STEPS + 1):
        matches = (
            _to_scan(predicted, scan, motion, nose_tip, radius_mm, ours),
            _from_scan(predicted, scan, motion, theirs),
        )
        rms = float(np.sqrt(np.mean([match.directed().rms_mm ** 2 for match in matches])))
        if rms < best_rms:
            best, best_rms = motion, rms
        rough = rough and last - rms > ROUGH_GAIN * rms
        if not rough and last - rms < MIN_GAIN_MM:
            return best, step
        last, motion = rms, _rough_step(matches, motion) if rough else _step(matches, motion)
    return best, MAX_STEPS


@dataclass(frozen=True, slots=True)
class _Matches:
    """Pairs of a moved point of the prediction and a plane of the scan."""

    moved: Float[np.ndarray, "n 3"]
    plane_points: Float[np.ndarray, "n 3"]
    plane_normals: Float[np.ndarray, "n 3"]
    areas: Float[np.ndarray, "n"]
    """Zero where a point has no counterpart."""
    total_area: float
    direction: str

    @property
    def residuals(self) -> Float[np.ndarray, "n"]:
        return ((self.moved - self.plane_points) * self.plane_normals).sum(axis=1)

    def directed(self) -> DirectedDistance:
        area = float(self.areas.sum())
        if area <= 0.0:
            raise ValueError(f"no point corresponds from the {self.direction}: is the start right?")
        distance = np.abs(self.residuals)
        return DirectedDistance(
            float((self.areas * distance).sum()) / area,
            float(np.sqrt((self.areas * distance**2).sum() / area)),
            area / self.total_area,
        )


def _to_scan(
    predicted: Surface,
    scan: Surface,
    motion: Similarity,
    nose_tip: Float[np.ndarray, "3"],
    radius: float,
    rows: Int[np.ndarray, "n"],
) -> _Matches:
    """Vertices of the prediction and the scan's planes that are closest to them."""
    moved = motion.apply(predicted.vertices[rows])
    areas = predicted.areas[rows] * (np.linalg.norm(moved - nose_tip, axis=1) <= radius)
    closest = scan.index.query(moved)
    planes = scan.triangle_normals[closest.face_index]
    turned = predicted.normals[rows] @ motion.rotation.T
    good = _counterparts(closest, scan, turned, planes)
    total = float(areas.sum()) or 1.0
    return _Matches(moved, closest.points, planes, areas * good, total, "prediction")


def _from_scan(
    predicted: Surface, scan: Surface, motion: Similarity, rows: Int[np.ndarray, "n"]
) -> _Matches:
    """Vertices of the scan, and the prediction's planes that are closest to them."""
    points, areas = scan.vertices[rows], scan.areas[rows]
    closest = predicted.index.query(motion.undo(points))
    turned = predicted.triangle_normals[closest.face_index] @ motion.rotation.T
    good = _counterparts(closest, predicted, scan.normals[rows], turned)
    moved = motion.apply(closest.points)
    return _Matches(moved, points, turned, areas * good, float(areas.sum()), "scan")


def _counterparts(
    closest: SurfacePoints,
    surface: Surface,
    normals: Float[np.ndarray, "n 3"],
    others: Float[np.ndarray, "n 3"],
) -> Bool[np.ndarray, "n"]:
    same_side = (normals * others).sum(axis=1) > SAME_SIDE
    return same_side & ~on_border(closest, surface.topology)


def _rough_step(matches: tuple[_Matches, ...], motion: Similarity) -> Similarity:
    """The motion after the closed-form fit of matched points."""
    change = fit_similarity(
        np.concatenate([match.moved for match in matches]),
        np.concatenate([match.plane_points for match in matches]),
        weights=np.concatenate([match.areas / match.areas.sum() for match in matches]),
    )
    return Similarity(
        change.scale * motion.scale,
        change.rotation @ motion.rotation,
        change.apply(motion.translation[None])[0],
    )


def _step(matches: tuple[_Matches, ...], motion: Similarity) -> Similarity:
    """The motion after one linearised least-squares step; each direction weighs the same."""
    left, right = np.zeros((7, 7)), np.zeros(7)
    centre = np.concatenate([match.moved[match.areas > 0] for match in matches]).mean(axis=0)
    reach = float(np.sqrt(np.mean([np.square(m.moved - centre).sum(1).mean() for m in matches])))
    for match in matches:
        arms = (match.moved - centre) / reach
        planes = match.plane_normals
        rows = np.column_stack([np.cross(arms, planes), (arms * planes).sum(axis=1), planes])
        weights = (match.areas / match.areas.sum())[:, None]
        left += rows.T @ (weights * rows)
        right -= (weights * rows).T @ match.residuals
    change = np.linalg.solve(left + 1e-9 * np.eye(7) * left.trace(), right)
    rotation, scale = matrix_from_vector(change[:3] / reach), 1.0 + float(change[3]) / reach
    moved = scale * rotation @ (motion.translation - centre) + centre + change[4:]
    return Similarity(scale * motion.scale, rotation @ motion.rotation, moved)
