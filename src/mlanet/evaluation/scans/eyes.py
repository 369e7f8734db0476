"""Eyeballs for heads whose sockets are open."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

RADIUS_MM = 12.0
"""Of an adult's eyeball."""

BEHIND_LIDS_MM = 0.5
IRIS_MM, PUPIL_MM = 5.9, 2.0
"""Radii on the eyeball's front."""

EYES = (slice(36, 42), slice(42, 48))
"""Landmarks (iBUG 68)."""

SECTORS = 32
IRIS_COLORS = ((0.20, 0.12, 0.07), (0.33, 0.22, 0.12), (0.27, 0.33, 0.25), (0.35, 0.45, 0.55))
WHITE, PUPIL = (0.80, 0.76, 0.73), (0.03, 0.03, 0.03)


@dataclass(frozen=True, slots=True)
class Eyeball:
    """The front half of a coloured sphere, mm."""

    vertices: Float[np.ndarray, "v 3"]
    colors: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]


def eyeballs(
    landmarks: Float[np.ndarray, "68 3"], rng: np.random.Generator
) -> tuple[Eyeball, Eyeball]:
    """Two eyes that look ahead (z) and touch the rims of the lids from behind."""
    iris = np.array(IRIS_COLORS[int(rng.integers(len(IRIS_COLORS)))])
    right, left = (_eyeball(landmarks[part], iris) for part in EYES)
    return right, left


def _eyeball(rims: Float[np.ndarray, "6 3"], iris: Float[np.ndarray, "3"]) -> Eyeball:
    middle = rims.mean(axis=0)
    across = np.linalg.norm(rims[:, :2] - middle[:2], axis=1)
    # The sphere through each rim point would have its centre so far behind it; the deepest fits.
    behind = np.sqrt(np.maximum(RADIUS_MM**2 - across**2, 0.0))
    depth = float((rims[:, 2] - behind).min()) - BEHIND_LIDS_MM
    edges = [0.0, PUPIL_MM, PUPIL_MM + 0.3, IRIS_MM - 0.3, IRIS_MM + 0.3]
    polar = np.concatenate([np.arcsin(np.array(edges) / RADIUS_MM), np.linspace(0.65, 1.6, 8)])
    color = np.array([PUPIL, PUPIL, iris, iris * 0.6, WHITE, *(WHITE,) * 8])
    turn = np.linspace(0.0, 2.0 * np.pi, SECTORS, endpoint=False)
    ring = np.sin(polar)[:, None] * RADIUS_MM
    points = np.stack(
        [
            middle[0] + ring * np.cos(turn),
            middle[1] + ring * np.sin(turn),
            depth + np.broadcast_to(np.cos(polar)[:, None] * RADIUS_MM, (len(polar), SECTORS)),
        ],
        axis=-1,
    )
    start = np.arange(len(polar) - 1)[:, None] * SECTORS
    here, beside = start + np.arange(SECTORS), start + (np.arange(SECTORS) + 1) % SECTORS
    faces = np.concatenate(
        [
            np.stack([here, here + SECTORS, beside], axis=-1).reshape(-1, 3),
            np.stack([beside, here + SECTORS, beside + SECTORS], axis=-1).reshape(-1, 3),
        ]
    )
    return Eyeball(points.reshape(-1, 3), np.repeat(color, SECTORS, axis=0), faces.astype(np.int32))
