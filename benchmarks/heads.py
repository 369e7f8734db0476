"""Figures of a face model against heads that it must not know: real scans and FLAME Open.

Distances follow the project's own protocol (`mlanet.evaluation.surfaces.face_shape`): mean
point-to-plane within 95 mm of the tip of the nose after similarity alignment, both directions
averaged.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from surface_fit import fit_surface

from mlanet.evaluation.scans.flame_open import FLAME_FILE, read_flame_open
from mlanet.evaluation.scans.known_heads import known_heads, visible_surface
from mlanet.evaluation.surfaces.face_shape import START_POINTS, FaceComparison, FaceShape
from mlanet.metrics import Surface, SurfaceDistance
from mlanet.morphable import MorphableModel, load_model
from mlanet.morphable.transfer import connect

ICT_FILE = Path("ict_facekit") / "ict_face_light_9409.npz"
INNER = range(17, 68)
"""Landmarks that begin a fit to a random head; a scan has its nine start points."""


@dataclass(frozen=True)
class Head:
    """A head to be measured against, mm; `numbers` are those of its landmarks (iBUG)."""

    surface: Surface
    points: np.ndarray
    landmarks: np.ndarray
    numbers: tuple[int, ...]


def scan_figures(model: MorphableModel, data: Path) -> dict[str, float]:
    """The mean face, and the face fitted with identity within 3 sd, against the two scans."""
    heads = [
        Head(head.surface, head.points, head.points, START_POINTS)
        for head in known_heads(data, model, num_random=0)
    ]
    mean = FaceComparison(model).face()
    return {
        "scans_mean_mm": float(np.mean([distance_mm(mean, head) for head in heads])),
        "scans_fit_mm": float(
            np.mean([fitted(model, head).point_to_plane_mean_mm for head in heads])
        ),
    }


def flame_figures(model: MorphableModel, data: Path, count: int) -> dict[str, float]:
    """The mean face, ICT-FaceKit's and the fitted face against random heads of FLAME Open."""
    ict = connect(model, load_model(data / ICT_FILE))[0]
    ours, theirs = FaceComparison(model).face(), FaceComparison(ict).face()
    heads = flame_heads(data, count)
    mean = float(np.mean([distance_mm(ours, head) for head in heads]))
    reference = float(np.mean([distance_mm(theirs, head) for head in heads]))
    fits = [fitted(model, head) for head in heads]
    return {
        "flame_mean_mm": mean,
        "flame_mean_of_ict_mm": reference,
        "flame_mean_over_ict": mean / reference,
        "flame_fit_mm": float(np.mean([fit.from_scan.mean_mm for fit in fits])),
        "flame_fit_both_mm": float(np.mean([fit.point_to_plane_mean_mm for fit in fits])),
    }


def flame_heads(data: Path, count: int) -> list[Head]:
    """Random heads at rest, coefficients unit normal, as a scanner would see them."""
    flame, rng = read_flame_open(data / FLAME_FILE), np.random.default_rng(0)
    heads = []
    for _ in range(count):
        identity = rng.normal(size=flame.layout.identity).astype(np.float32)
        vertices = flame.shape(identity, np.zeros(0, np.float32)).astype(np.float64)
        marks = flame.landmarks(identity, np.zeros(0, np.float32)).astype(np.float64)
        surface = visible_surface(vertices, flame.base_faces)
        heads.append(Head(surface, marks[list(START_POINTS)], marks[INNER], tuple(INNER)))
    return heads


def fitted(model: MorphableModel, head: Head) -> SurfaceDistance:
    """The model's surface fit against the head."""
    fit = fit_surface(model, head.surface, head.landmarks, head.numbers)
    coefficients = (part.astype(np.float32) for part in (fit.identity, fit.expression))
    return FaceComparison(model).face(*coefficients).distance(head.surface, head.points)


def distance_mm(face: FaceShape, head: Head) -> float:
    return face.distance(head.surface, head.points).point_to_plane_mean_mm
