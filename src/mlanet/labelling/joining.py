"""Landmarks of a face that labels, a network and a teacher know.

Labels of a data set and a network's answers agree on which points of a face the 68 are; both are
noisy, and both know little of lids and lips. The teacher sees these well, but its points are
others: each has an offset that depends on how far the head is turned.

Lengths are in face sizes: sqrt(width · height) of the points' box.
"""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.labelling.head_turn import NUM_BANDS, HeadTurn
from mlanet.labelling.teacher import Teacher

NUM_JAW = 17
"""The first of the 68 points follow the jaw; the teacher's do not help there."""

MIRRORED_INNER = MIRRORED_LANDMARKS[NUM_JAW:] - NUM_JAW

FEWEST_FACES = 20
"""With no more in a band, offsets of that band are zero."""

TRUSTED_YAW_DEG = (40.0, 60.0)
"""The teacher's points count fully up to the first, and not at all from the second on."""

TRUSTED_GAP = (0.06, 0.10)
"""The same of their distance from the others."""


def reference_landmarks(
    network_px: Float[np.ndarray, "n 68 2"],
    labels_px: Float[np.ndarray, "n 68 d"] | None,
    *,
    jaw_on_surface: bool,
) -> Float[np.ndarray, "n 68 2"]:
    """The network's points, averaged with the labels where there are any.

    The network's jaw is fixed on the surface; labels whose jaw is not say nothing of it.
    """
    if labels_px is None:
        return network_px
    points = (network_px + labels_px[..., :2]) / 2
    if not jaw_on_surface:
        points[:, :NUM_JAW] = network_px[:, :NUM_JAW]
    return points


def measure_offsets(
    reference_px: Float[np.ndarray, "n 68 2"], teacher: Teacher, turn: HeadTurn
) -> Float[np.ndarray, "bands 51 2"]:
    """How far the teacher's inner points lie from the reference's, by band of yaw.

    Medians over faces and mirror images of those of the opposite band, of upright heads.
    """
    apart = teacher.landmarks_px[:, NUM_JAW:] - reference_px[:, NUM_JAW:]
    apart = turn.upright(apart / face_sizes(reference_px)[:, None, None])
    offsets = np.zeros((2 * NUM_BANDS + 1, *apart.shape[1:]))
    for band in range(NUM_BANDS + 1):
        own, opposite = (apart[teacher.found & (turn.band == k)] for k in (band, -band))
        faces = np.concatenate([own, _mirrored(opposite)])
        if len(faces) > FEWEST_FACES:
            offsets[NUM_BANDS + band] = np.median(faces, axis=0)
            offsets[NUM_BANDS - band] = _mirrored(offsets[NUM_BANDS + band])
    return offsets


def join_landmarks(
    reference_px: Float[np.ndarray, "n 68 2"],
    teacher: Teacher,
    turn: HeadTurn,
    offsets: Float[np.ndarray, "bands 51 2"],
) -> Float[np.ndarray, "n 68 2"]:
    """The reference's points, the inner ones averaged with the teacher's where it is trusted."""
    inner, size = reference_px[:, NUM_JAW:], face_sizes(reference_px)[:, None, None]
    own_offsets = turn.in_picture(offsets[turn.band + NUM_BANDS]) * size
    moved = teacher.landmarks_px[:, NUM_JAW:] - own_offsets
    gap = np.linalg.norm(moved - inner, axis=-1, keepdims=True) / size
    trust = teacher.found * falling(np.abs(turn.yaw_deg), TRUSTED_YAW_DEG)
    weight = trust[:, None, None] * falling(gap, TRUSTED_GAP)
    return np.concatenate(
        [reference_px[:, :NUM_JAW], (inner + weight * moved) / (1 + weight)], axis=1
    )


def falling(values: Float[np.ndarray, "*n"], ends: tuple[float, float]) -> Float[np.ndarray, "*n"]:
    """1 up to the first end, 0 from the second on, a straight line between."""
    return np.clip((ends[1] - values) / (ends[1] - ends[0]), 0.0, 1.0)


def face_sizes(points: Float[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "n"]:
    """sqrt(width · height) of the box of each face's points, in the points' unit."""
    return np.sqrt(np.ptp(points, axis=1).prod(axis=1))


def _mirrored(offsets: Float[np.ndarray, "*n 51 2"]) -> Float[np.ndarray, "*n 51 2"]:
    return offsets[..., MIRRORED_INNER, :] * [-1, 1]
