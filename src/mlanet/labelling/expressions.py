"""What a teacher's blend-shape scores say of expressions.

Scores have ARKit's names and lie in [0, 1]. They are what expressions are likely before any point
is seen, on a scale of the teacher's own.
"""

import numpy as np
from jaxtyping import Bool, Float

from mlanet.fitting import ExpressionPrior
from mlanet.labelling.head_turn import HeadTurn
from mlanet.labelling.joining import falling
from mlanet.labelling.teacher import Teacher

MOST_YAW_DEG = 45.0
"""Scores of heads that are turned further are not used."""

BLINK_SCORES = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
BLINK_CLOSURES = np.array([0.0, 0.0, 0.1, 0.33, 0.5, 0.68, 0.82, 0.95, 1.0])
"""How far lids are shut for the teacher's `eyeBlink`, which says 0.7 (median) of shut eyes: read
off its own lids' distances on AFLW's training crops within 30 degrees of yaw."""

SHUT_OPENING, OPEN_OPENING = 0.05, 0.32
"""Distance of the lids over that of the eye's corners: shut, and open at rest (the same crops)."""

LID_YAW_DEG = (10.0, 30.0)
"""The lids' distance counts half up to the first, and not at all from the second on."""

SQUINT_SCORES = (0.3, 0.8)
"""Scores of `eyeSquint` that mean none and full: an eye at rest has about 0.3."""

NOT_SCORED = frozenset(
    ("cheekPuff", "noseSneerLeft", "noseSneerRight", "jawForward", "mouthClose", "tongueOut")
)
"""Expressions whose scores are nearly constant on photos, and the one that the teacher lacks."""

BLINK_SD, GAZE_SD, SCORED_SD, OTHER_SD = 0.06, 0.08, 0.15, 0.3
"""How far expressions are from what the scores say; the last of those without a score, from 0."""

UNEVEN = ("eyeBlink", "mouthSmile")
STRONG = {"jawOpen": 0.4, "mouthPucker": 0.7, "browInnerUp": 0.7}
SHUT_SCORE, ASIDE_SCORE, UNEVEN_SCORE = 0.5, 0.85, 0.28
"""Scores, or differences of the sides' scores, that make a face telling (`telling_faces`)."""


def trusted_scores(teacher: Teacher, turn: HeadTurn) -> Bool[np.ndarray, "n"]:
    """Of which faces the teacher's scores are used."""
    return teacher.found & (np.abs(turn.yaw_deg) < MOST_YAW_DEG)


def expression_prior(
    teacher: Teacher, turn: HeadTurn, expression_names: tuple[str, ...]
) -> ExpressionPrior:
    """Expressions that the teacher's scores make likely; no expression where they are not used."""
    used = trusted_scores(teacher, turn)
    mean = np.zeros((len(used), len(expression_names)))
    sd = np.full(mean.shape, OTHER_SD)
    for place, name in enumerate(expression_names):
        if name in teacher.blend_shapes and name not in NOT_SCORED:
            mean[used, place] = _likely(name, teacher, turn)[used]
            sd[used, place] = _deviation(name)
    return ExpressionPrior(mean, sd)


def blink_closure(
    score: Float[np.ndarray, "n"], lid_opening: Float[np.ndarray, "n"], turn: HeadTurn
) -> Float[np.ndarray, "n"]:
    """How far lids are shut, in [0, 1], by `eyeBlink` and, of heads that look ahead, the lids."""
    by_score = np.interp(score, BLINK_SCORES, BLINK_CLOSURES)
    by_lids = falling(lid_opening, (SHUT_OPENING, OPEN_OPENING))
    share = 0.5 * falling(np.abs(turn.yaw_deg), LID_YAW_DEG)
    return (1 - share) * by_score + share * by_lids


def telling_faces(teacher: Teacher, turn: HeadTurn) -> Bool[np.ndarray, "n"]:
    """Faces of expressions that are seldom seen: blinks, winks, looks aside, uneven mouths.

    A score that the teacher lacks counts as zero.
    """

    def score(name: str) -> Float[np.ndarray, "n"]:
        return teacher.blend_shapes.get(name, np.zeros(len(teacher.found)))

    def sides(name: str) -> Float[np.ndarray, "2 n"]:
        return np.stack([score(f"{name}Left"), score(f"{name}Right")])

    shut = sides("eyeBlink").max(axis=0) > SHUT_SCORE
    aside = sides("eyeLookOut").max(axis=0) > ASIDE_SCORE
    uneven = [np.abs(np.subtract(*sides(name))) > UNEVEN_SCORE for name in UNEVEN]
    strong = [score(name) > least for name, least in STRONG.items()]
    return trusted_scores(teacher, turn) & (shut | aside | np.any(uneven + strong, axis=0))


def _likely(name: str, teacher: Teacher, turn: HeadTurn) -> Float[np.ndarray, "n"]:
    score = teacher.blend_shapes[name]
    if name.startswith("eyeBlink"):
        return blink_closure(score, teacher.lid_opening[name.removeprefix("eyeBlink")], turn)
    if name.startswith("eyeSquint"):
        return 1 - falling(score, SQUINT_SCORES)
    return score


def _deviation(name: str) -> float:
    if name.startswith("eyeBlink"):
        return BLINK_SD
    return GAZE_SD if name.startswith("eyeLook") else SCORED_SD
