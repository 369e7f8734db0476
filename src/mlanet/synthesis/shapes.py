"""Hair-like and glasses-like meshes around a head, of fixed topology and random form."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

HAIR_RINGS, HAIR_SECTORS = 28, 44
RING_POINTS, ARM_POINTS = 28, 9
SKULL_FROM_MM, SKULL_TO_MM = 0.0, 105.0
"""Heights (model frame) between which a head is as wide as its skull: shoulders may be wider."""

BROW_MM, FACE_FRONT_MM = 42.0, 35.0
"""Height of the brows, and how far hair reaches forward below them (model frame)."""

TUBE = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
"""Cross-section of frames: corners along the two normals of a line."""

RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
EAR_TO_EAR = (0, 16)
"""Landmarks (iBUG 68)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A coloured mesh in the model frame (mm), to be drawn with the head."""

    vertices: Float[np.ndarray, "v 3"]
    colors: Float[np.ndarray, "v 3"]


def hair_faces() -> Int[np.ndarray, "f 3"]:
    """Triangles of `hair`: a globe, seen from outside."""
    ring = np.arange(HAIR_RINGS - 1)[:, None] * HAIR_SECTORS
    here = np.arange(HAIR_SECTORS)[None]
    beside = (here + 1) % HAIR_SECTORS
    a, b = ring + here, ring + beside
    c, d = a + HAIR_SECTORS, b + HAIR_SECTORS
    return np.concatenate(
        [np.stack([a, c, b], -1).reshape(-1, 3), np.stack([b, c, d], -1).reshape(-1, 3)]
    ).astype(np.int32)


def hair(vertices: Float[np.ndarray, "v 3"], rng: np.random.Generator) -> Shape:
    """A globe around the skull that the face looks out of; its hair may be short or long.

    Args:
        vertices: of the head, with or without neck and shoulders.
        rng: draws its form and colour.
    """
    height = vertices[:, 1]
    skull = vertices[(height > SKULL_FROM_MM) & (height < SKULL_TO_MM)]
    low, high = skull.min(axis=0), skull.max(axis=0)
    polar = np.linspace(0.0, np.pi, HAIR_RINGS)[:, None]
    turn = np.linspace(0.0, 2.0 * np.pi, HAIR_SECTORS, endpoint=False)[None]
    outward = np.stack(
        [np.sin(polar) * np.sin(turn), np.cos(polar) + 0.0 * turn, np.sin(polar) * np.cos(turn)],
        axis=-1,
    )
    thickness = rng.uniform(3.0, 16.0)
    radius = np.array([(high[0] - low[0]) / 2, 112.0, 103.0]) + thickness
    centre = np.array([0.0, high[1] - 83.0 + rng.uniform(-4.0, 6.0), rng.uniform(-22.0, -10.0)])
    rough = 1.0 + rng.uniform(0.0, 0.05) * _waves(polar, turn, rng, 6)
    points = outward * radius * rough[..., None]
    below = np.minimum(points[..., 1], 0.0)
    if rng.random() < 0.45:  # long hair falls down beside and behind the face
        points[..., 1] += below * rng.uniform(0.2, 1.4)
        points[..., 2] += below * rng.uniform(0.0, 0.5)
        points[..., 0] *= 1.0 + rng.uniform(0.0, 0.2) * (below < 0)
    else:  # short hair ends at the ears
        points[..., 2] += below * rng.uniform(0.5, 0.9)
        points[..., 0] *= 1.0 + rng.uniform(0.003, 0.006) * below
        points[..., 1] -= 0.35 * below
    # Below the brows hair stays behind the face, whose eye sockets are deep.
    height = centre[1] + points[..., 1]
    forward = FACE_FRONT_MM + 3.0 * np.maximum(height - BROW_MM, 0.0) - centre[2]
    points[..., 2] = np.minimum(points[..., 2], forward)
    base = np.array([[0.06, 0.05, 0.04], [0.25, 0.16, 0.1], [0.62, 0.48, 0.3], [0.6, 0.6, 0.6]])
    color = base[rng.integers(len(base))] * rng.uniform(0.7, 1.3, 3).mean()
    strands = 1.0 + 0.25 * _waves(0.15 * polar, turn, rng, 19)
    colors = np.clip(color * strands[..., None], 0.0, 1.0)
    return Shape((centre + points).reshape(-1, 3), colors.reshape(-1, 3))


def _waves(
    polar: Float[np.ndarray, "r 1"],
    turn: Float[np.ndarray, "1 s"],
    rng: np.random.Generator,
    highest: int,
) -> Float[np.ndarray, "r s"]:
    """Five random waves over a globe that fit together around it."""
    total = np.zeros((len(polar), turn.shape[1]))
    for _ in range(5):
        around, down = rng.integers(0, highest + 1), rng.uniform(0.0, highest)
        total += np.sin(around * turn + down * polar + rng.uniform(0.0, 2.0 * np.pi))
    return total / 2.5


def glasses_faces() -> Int[np.ndarray, "f 3"]:
    """Triangles of `glasses`: two rims, bridge, two arms, two panes (both sides)."""
    parts: list[np.ndarray] = []
    start = 0
    for count, closed in ((RING_POINTS, True),) * 2 + ((2, False),) + ((ARM_POINTS, False),) * 2:
        ends = count if closed else count - 1
        for k in range(ends):
            here, there = start + 4 * k, start + 4 * ((k + 1) % count)
            for side in range(4):
                following = (side + 1) % 4
                a, b = here + side, here + following
                c, d = there + side, there + following
                parts.append(np.array([[a, b, c], [b, d, c], [a, c, b], [b, c, d]]))
        start += 4 * count
    for _ in range(2):
        rim = start + 1 + np.arange(RING_POINTS)
        fan = np.stack([np.full(RING_POINTS, start), rim, np.roll(rim, -1)], axis=1)
        parts += [fan, fan[:, ::-1]]
        start += 1 + RING_POINTS
    return np.concatenate(parts).astype(np.int32)


def glasses(landmarks: Float[np.ndarray, "68 3"], rng: np.random.Generator) -> Shape:
    """Spectacles before the eyes of a head with these landmarks (mm); one in three is dark."""
    eyes = [landmarks[part].mean(axis=0) for part in (RIGHT_EYE, LEFT_EYE)]
    apart = float(np.linalg.norm(eyes[1] - eyes[0]))
    half = apart * np.array([rng.uniform(0.34, 0.42), rng.uniform(0.22, 0.38)])
    power = rng.uniform(0.45, 1.0)  # from a rounded box to an ellipse
    thick = rng.uniform(0.8, 3.0)
    turn = np.linspace(0.0, 2.0 * np.pi, RING_POINTS, endpoint=False)
    cosine, sine = np.cos(turn), np.sin(turn)
    across = half[0] * np.sign(cosine) * np.abs(cosine) ** power
    up = half[1] * np.sign(sine) * np.abs(sine) ** power
    before = max(eye[2] for eye in eyes) + rng.uniform(10.0, 16.0)
    drop = rng.uniform(-4.0, 1.0)
    rims = [
        np.stack(
            [eye[0] + across, eye[1] + drop + up, before - 0.002 * (eye[0] + across) ** 2], axis=1
        )
        for eye in eyes
    ]
    inner = rims[0][0], rims[1][RING_POINTS // 2]
    lines = [*rims, np.stack(inner)]
    for side, rim in enumerate(rims):
        hinge = rim[RING_POINTS // 2 if side == 0 else 0]
        ear = landmarks[EAR_TO_EAR[side]] + [(-6.0, 6.0)[side], 12.0, -8.0]
        lines.append(hinge + np.linspace(0.0, 1.0, ARM_POINTS)[:, None] * (ear - hinge))
    tubes = [_tube(line, thick, closed=k < 2) for k, line in enumerate(lines)]
    dark = rng.random() < 1 / 3
    panes = []
    for rim in rims:
        middle = rim.mean(axis=0)
        pane = np.concatenate([middle[None], rim])
        panes.append(pane if dark else np.broadcast_to(middle, pane.shape))
    vertices = np.concatenate([*tubes, *panes])
    frame = rng.uniform(0.0, 0.8, 3) * (0.3 if rng.random() < 0.6 else 1.0)
    colors = np.broadcast_to(frame, vertices.shape).copy()
    colors[sum(map(len, tubes)) :] = rng.uniform(0.0, 0.2, 3)
    return Shape(vertices, colors)


def _tube(
    line: Float[np.ndarray, "n 3"], radius: float, *, closed: bool
) -> Float[np.ndarray, "m 3"]:
    along = np.roll(line, -1, 0) - np.roll(line, 1, 0) if closed else np.gradient(line, axis=0)
    along = along / np.linalg.norm(along, axis=1, keepdims=True)
    side = np.cross(along, [0.0, 0.12, 1.0])
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(along, side)
    corners = TUBE[None, :, :1] * side[:, None] + TUBE[None, :, 1:] * other[:, None]
    return (line[:, None] + radius * corners).reshape(-1, 3)
