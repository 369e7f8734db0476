"""Whether five points and box are those of an upright face."""

import numpy as np
from jaxtyping import Bool, Float

from mlanet.detection.decoding import Candidates

EYES_TO_MOUTH = (0.30, 0.46)
"""Height from the eyes to the mouth over the box's."""

NARROWEST = 1.0
"""Least height of a box over its width."""

MOST_ROLL_DEG = 35.0
"""How far the line from the eyes to the mouth may be off the vertical."""

NOSE = (0.36, 0.68)
"""Place of the nose's tip on the way from the eyes to the mouth."""


def are_upright(candidates: Candidates) -> Bool[np.ndarray, "n"]:
    """Which candidates have points and box as upright faces of any yaw have.

    The limits leave out 3 in 100 upright faces and admit 1 in 50 of those of 48 and more pixels
    that lie on their side or stand on their head, whose points the network misplaces
    (docs/explanation/detection.md).
    """
    sides = candidates.boxes[:, 2:] - candidates.boxes[:, :2]
    eyes, mouth = candidates.landmarks[:, :2].mean(axis=1), candidates.landmarks[:, 3:].mean(axis=1)
    down = mouth - eyes
    roll_deg = np.degrees(np.abs(np.arctan2(down[:, 0], down[:, 1])))
    nose = ((candidates.landmarks[:, 2] - eyes) * down).sum(axis=1)
    nose = nose / np.maximum((down * down).sum(axis=1), 1e-12)
    return (
        _within(down[:, 1] / sides[:, 1], EYES_TO_MOUTH)
        & (sides[:, 1] >= NARROWEST * sides[:, 0])
        & (roll_deg < MOST_ROLL_DEG)
        & _within(nose, NOSE)
    )


def _within(values: Float[np.ndarray, "n"], limits: tuple[float, float]) -> Bool[np.ndarray, "n"]:
    return (limits[0] < values) & (values < limits[1])
