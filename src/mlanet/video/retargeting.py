"""One person's performance for another's face: without what is theirs alone.

Nobody's weights are zero at rest: brows lie lower, lids hang deeper, a camera stands aside, and a
network errs by a face's shape. What a face shows at rest is taken away, so that only what it does
is carried over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.errors import UsageError
from mlanet.export import Animation
from mlanet.geometry import angle_between, mean_rotation

REST_SHARE = 0.1
"""Quantile of a weight over the performance that is taken for its value at rest."""

MOST_REST = 0.5
"""A weight's value at rest at most: who smiles all the time does not rest."""

AROUND_S = 0.2
"""How far from a moment that is named frames count for it."""

OPPOSITES = (
    ("eyeLookInLeft", "eyeLookOutLeft"),
    ("eyeLookInRight", "eyeLookOutRight"),
    ("eyeLookUpLeft", "eyeLookDownLeft"),
    ("eyeLookUpRight", "eyeLookDownRight"),
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
)
"""Weights that move the same to either side: at rest is their middle."""

CLOSED_BY = ("mouthClose", "jawOpen")
"""The first closes the lips of a jaw that the second opens, and can do no more."""


@dataclass(frozen=True, slots=True, eq=False)
class Neutral:
    """A performer at rest.

    Attributes:
        expression: weights; of opposites the first minus the second stands at the first, and zero
            at the second.
        rotation: of the head, as `Animation` has it.
        offset_mm: of the head, as `Animation` has it.
    """

    expression: Float[np.ndarray, "e"]
    rotation: Float[np.ndarray, "3 3"]
    offset_mm: Float[np.ndarray, "3"]


def usual_neutral(performance: Animation, names: Sequence[str]) -> Neutral:
    """The rest that a whole performance shows.

    Of each weight the value that it falls below in a tenth of the frames, at most a half; of
    opposites (looks aside, say) the median of their difference; of the head's place the median,
    and the rotation that is nearest to all (the mean, by Huber's weights).
    """
    signed = _signed(performance.expression, names)
    rest = np.clip(np.quantile(signed, REST_SHARE, axis=0), 0.0, MOST_REST)
    for first, second in _opposites(names):
        rest[first], rest[second] = np.median(signed[:, first]), 0.0
    return Neutral(
        rest, _usual_rotation(performance.rotation), np.median(performance.offset_mm, axis=0)
    )


def neutral_at(performance: Animation, names: Sequence[str], time_s: float) -> Neutral:
    """The rest that a moment shows: medians of the frames around it.

    Raises:
        UsageError: there is no frame near that moment.
    """
    near = np.abs(performance.times_s - time_s) <= AROUND_S
    if not near.any():
        first, last = performance.times_s[[0, -1]]
        raise UsageError(
            f"--neutral {time_s:g}: the driver is not seen then, but from {first:.1f} s"
            f" to {last:.1f} s"
        )
    signed = _signed(performance.expression[near], names)
    rest = np.median(signed, axis=0)
    for _, second in _opposites(names):
        rest[second] = 0.0
    return Neutral(
        rest,
        _usual_rotation(performance.rotation[near]),
        np.median(performance.offset_mm[near], axis=0),
    )


def retargeted(performance: Animation, names: Sequence[str], neutral: Neutral) -> Animation:
    """The performance as a departure from rest.

    A weight w of rest r becomes (w - r) / (1 - r): rest is 0, and what is fully done stays 1. The
    head's rotation and place are those from rest. All weights are in [0, 1].

    Args:
        performance: of the driver.
        names: of its weights.
        neutral: the driver at rest.
    """
    signed = _signed(performance.expression, names)
    rest = np.clip(neutral.expression, 0.0, 0.99)
    weights = np.clip((signed - rest) / (1.0 - rest), 0.0, 1.0)
    for first, second in _opposites(names):
        moved = signed[:, first] - neutral.expression[first]
        weights[:, first], weights[:, second] = (np.clip(s * moved, 0.0, 1.0) for s in (1, -1))
    closing, jaw = (list(names).index(name) for name in CLOSED_BY)
    weights[:, closing] = np.minimum(weights[:, closing], weights[:, jaw])
    return Animation(
        performance.times_s,
        weights,
        neutral.rotation.T @ performance.rotation,
        (performance.offset_mm - neutral.offset_mm) @ neutral.rotation,
    )


def _opposites(names: Sequence[str]) -> list[tuple[int, int]]:
    known = list(names)
    return [(known.index(first), known.index(second)) for first, second in OPPOSITES]


def _signed(expression: Float[np.ndarray, "n e"], names: Sequence[str]) -> Float[np.ndarray, "n e"]:
    """Weights in [0, 1], but the first of two opposites minus the second in the first's place."""
    signed = np.clip(expression, 0.0, 1.0)
    for first, second in _opposites(names):
        signed[:, first] -= signed[:, second]
        signed[:, second] = 0.0
    return signed


def _usual_rotation(rotation: Float[np.ndarray, "n 3 3"]) -> Float[np.ndarray, "3 3"]:
    usual = mean_rotation(rotation)
    for _ in range(9):
        away = angle_between(usual, rotation)
        near = max(float(np.median(away)), 1e-6)
        usual = mean_rotation(rotation, np.minimum(1.0, near / np.maximum(away, 1e-9)))
    return usual
