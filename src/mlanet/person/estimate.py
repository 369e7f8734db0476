"""What several photos, or many frames of a film, say of one person: robust means over views."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

VIEWS_DEG = (-20.0, 20.0)
"""Yaw at which a face seen from its left becomes one seen from the front, and from its right."""

VIEW_WEIGHT = (1.0, 0.7, 1.0)
"""Of a view among the others, once it was seen often. Faces seen from the side tell more of their
shape: the best weights on rendered heads of known shape (docs/records/experiments.md)."""

SEEN_OFTEN = 10.0
"""Frames after which a view has half of its weight."""

HUBER = 1.5
"""What is farther from the mean than this many times the usual distance counts less."""

ROUNDS = 5

INDEPENDENT = 0.53
"""Variance of the network's answers about one person from photo to photo over what they have in
common, on rendered heads."""

USUAL_SPREAD = 0.14
"""Root mean square by which identity coefficients of one person there differ from their mean."""

FULL_SIDE_PX = 512.0
"""Faces larger than this are not seen any better."""

HIDING = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen")
"""Expressions that hide parts of the face, or bend it."""


def view_mean(
    values: Float[np.ndarray, "n c"],
    yaw_deg: Float[np.ndarray, "n"],
    weight: Float[np.ndarray, "n"],
) -> Float[np.ndarray, "c"]:
    """A robust mean over photos or frames in which no view outvotes the others.

    Huber's mean of each view (from the left, the front and the right), by iterated weights; the
    views are joined by how often each was seen, up to a limit.

    Args:
        values: coefficients of each photo or frame.
        yaw_deg: of the head.
        weight: confidence.
    """
    view = np.searchsorted(VIEWS_DEG, yaw_deg)
    total, shares = np.zeros(values.shape[1]), 0.0
    for k, view_weight in enumerate(VIEW_WEIGHT):
        own, w = values[view == k], weight[view == k]
        if not len(own):
            continue
        mean = np.average(own, axis=0, weights=w)
        for _ in range(ROUNDS):
            away = np.linalg.norm(own - mean, axis=1)
            usual = max(float(np.median(away)), 1e-9)
            mean = np.average(
                own, axis=0, weights=w * np.minimum(1.0, HUBER * usual / np.maximum(away, 1e-9))
            )
        share = view_weight * float(w.mean()) * len(own) / (len(own) + SEEN_OFTEN)
        total, shares = total + share * mean, shares + share
    return total / shares


def growth(identity: Float[np.ndarray, "n i"]) -> float:
    """By how much the mean of `n` photos' identities is to be enlarged.

    A network's answer stays near the mean face where one photo does not tell. Photos that agree
    tell more than one: what they have in common may be believed. This is the linear estimate that
    is best on average over rendered heads, less where photos differ so little that they are as good
    as one.
    """
    count = len(identity)
    full = (1.0 + INDEPENDENT) / (1.0 + INDEPENDENT / count)
    if count < 2:
        return full
    spread = float(np.sqrt(identity.var(axis=0, ddof=1).mean()))
    return 1.0 + (full - 1.0) * min(1.0, spread / USUAL_SPREAD)


def shown_well(
    euler_deg: Float[np.ndarray, "n 3"],
    side_px: Float[np.ndarray, "n"],
    expression: Float[np.ndarray, "n e"],
    names: Sequence[str],
) -> Float[np.ndarray, "n"]:
    """How well photos or frames show a face, without unit: large, from the front, at rest.

    Args:
        euler_deg: pitch, yaw and roll of the head.
        side_px: of the face's square.
        expression: weights.
        names: of the expressions.
    """
    pitch, yaw, _ = np.radians(euler_deg.T)
    frontal = np.clip(np.cos(yaw) * np.cos(pitch), 0.0, 1.0) ** 2
    moving = np.zeros(len(side_px))
    for name in HIDING:
        if name in names:
            moving = np.maximum(moving, expression[:, names.index(name)])
    side = np.minimum(side_px, FULL_SIDE_PX)
    return side * frontal * (1.0 - 0.8 * np.clip(moving, 0.0, 1.0))
