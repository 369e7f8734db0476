"""Labels of faces whose landmarks a network and a teacher know, with expressions of the teacher.

Three sources are joined. Labels of a data set and a network's answers agree on which points of a
face the 68 are; both are noisy, and both know little of lids and lips. The teacher, MediaPipe's
Face Landmarker (Apache-2.0; Kartynnik et al., "Real-time Facial Surface Geometry from Monocular
Video on Mobile GPUs", 2019), sees lids and lips well, but its points are others: each has an offset
that depends on how far the head is turned. Its blend-shape scores (ARKit's names, in [0, 1]) are
what expressions are likely before any point is seen.

Lengths are in face sizes where nothing else is said: sqrt(width · height) of the points' box.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Shaped

from mlanet.fitting import CropView, ExpressionPrior, FittingConfig, fit_landmarks
from mlanet.fitting.labels import LABEL_CROP_PX, Labels
from mlanet.geometry import MIRRORED_LANDMARKS, six_d_from_matrix
from mlanet.image import square_from_landmarks, square_transform, transform_points
from mlanet.image.crop import invert_transform
from mlanet.morphable import MorphableModel
from rebase_weights.head_turn import NUM_BANDS, HeadTurn
from rebase_weights.teacher import Teacher

NUM_JAW = 17
"""The first of the 68 points follow the jaw; the teacher's do not help there."""

MIRRORED_INNER = MIRRORED_LANDMARKS[NUM_JAW:] - NUM_JAW

FEWEST_FACES = 20
"""With no more in a band, offsets of that band are zero."""

TRUSTED_YAW_DEG = (40.0, 60.0)
"""The teacher's points count fully up to the first, and not at all from the second on."""

TRUSTED_GAP = (0.06, 0.10)
"""The same of their distance from the others, in face sizes."""

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

BLINK_SD, GAZE_SD, SCORED_SD = 0.06, 0.08, 0.15
"""How far expressions are from what the scores say; of those without one see `FITTING`."""

FITTING = FittingConfig(noise=0.008, steps=7)
"""The points' noise is in face sizes. Points are off by about 2 %, but a fit that trusts them less
shrinks towards the mean face, and a network that learns from such fits shrinks once more. Fits to
the two photos of each of the 92 people of the London set tell people apart best at 0.8 to 1.2 %
(area under the curve 0.95 by the distance of neutral faces; 0.91 at 2 %, 0.93 at 0.3 %)."""

LIDS = np.array([37, 38, 40, 41, 43, 44, 46, 47])
LID_WEIGHT = 0.12
"""Landmarks of the lids, and what they count in fits of faces whose blinks the teacher scored: the
other sources hardly ever see an eye shut."""

JAW_WEIGHT = 0.35
"""Of a jaw point beside the others, in fits and their residuals."""

MAX_RESIDUAL_PERCENT = 4.0

UNEVEN = ("eyeBlink", "mouthSmile")
STRONG = {"jawOpen": 0.4, "mouthPucker": 0.7, "browInnerUp": 0.7}
SHUT_SCORE, ASIDE_SCORE, UNEVEN_SCORE = 0.5, 0.85, 0.28
"""Scores, or differences of the sides' scores, that make a face telling (`telling_faces`)."""


def measure_offsets(
    reference_px: Float[np.ndarray, "n 68 2"], teacher: Teacher, turn: HeadTurn
) -> Float[np.ndarray, "bands 51 2"]:
    """How far the teacher's inner points lie from the reference's, by band of yaw.

    Medians over faces and mirror images of those of the opposite band; in face sizes, of upright
    heads.
    """
    apart = teacher.landmarks_px[:, NUM_JAW:] - reference_px[:, NUM_JAW:]
    apart = turn.upright(apart / _sizes(reference_px)[:, None, None])
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
    inner, size = reference_px[:, NUM_JAW:], _sizes(reference_px)[:, None, None]
    own_offsets = turn.in_picture(offsets[turn.band + NUM_BANDS]) * size
    moved = teacher.landmarks_px[:, NUM_JAW:] - own_offsets
    gap = np.linalg.norm(moved - inner, axis=-1, keepdims=True) / size
    trust = teacher.found * _falling(np.abs(turn.yaw_deg), TRUSTED_YAW_DEG)
    weight = trust[:, None, None] * _falling(gap, TRUSTED_GAP)
    return np.concatenate(
        [reference_px[:, :NUM_JAW], (inner + weight * moved) / (1 + weight)], axis=1
    )


def trusted_scores(teacher: Teacher, turn: HeadTurn) -> Bool[np.ndarray, "n"]:
    """Of which faces the teacher's scores are used."""
    return teacher.found & (np.abs(turn.yaw_deg) < MOST_YAW_DEG)


def expression_prior(
    teacher: Teacher, turn: HeadTurn, expression_names: tuple[str, ...]
) -> ExpressionPrior:
    """Expressions that the teacher's scores make likely; no expression where they are not used."""
    used = trusted_scores(teacher, turn)
    mean = np.zeros((len(used), len(expression_names)))
    sd = np.full(mean.shape, FITTING.expression_sd)
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
    by_lids = _falling(lid_opening, (SHUT_OPENING, OPEN_OPENING))
    share = 0.5 * _falling(np.abs(turn.yaw_deg), LID_YAW_DEG)
    return (1 - share) * by_score + share * by_lids


def fit_labels(
    model: MorphableModel,
    landmarks_px: Float[np.ndarray, "n 68 2"],
    prior: ExpressionPrior,
    scored: Bool[np.ndarray, "n"],
) -> tuple[Labels, Float[np.ndarray, "n 68 2"]]:
    """Coefficients of a face model for joined landmarks, within the prior of expressions.

    Returns:
        The labels, and the landmarks with the lids of the fits where `scored`: what a network
        should show there.
    """
    boxes = np.array([square_from_landmarks(points) for points in landmarks_px])
    crops = np.array([square_transform(box, LABEL_CROP_PX) for box in boxes])
    in_crop = np.array(
        [transform_points(crop, points) for crop, points in zip(crops, landmarks_px, strict=True)]
    )
    weights = np.ones(in_crop.shape[:2])
    weights[:, :NUM_JAW] = JAW_WEIGHT
    weights[np.ix_(scored, LIDS)] = LID_WEIGHT
    view = CropView(float(LABEL_CROP_PX))
    fit = fit_landmarks(model.landmarks, view, in_crop, weights, FITTING, prior)
    fitted = fit.landmarks_px[..., :2]
    distance = np.linalg.norm(fitted - in_crop, axis=-1)
    residual = 100 * np.average(distance, axis=1, weights=weights) / _sizes(in_crop)
    points = landmarks_px.copy()
    for face in np.flatnonzero(scored):
        points[face, LIDS] = transform_points(invert_transform(crops[face]), fitted[face, LIDS])
    labels = Labels(
        boxes,
        fit.identity,
        fit.expression,
        six_d_from_matrix(fit.rotation),
        fit.place[:, :3],
        residual,
        residual <= MAX_RESIDUAL_PERCENT,
    )
    return labels, points


def of_one_person(labels: Labels, person: Shaped[np.ndarray, "n"]) -> Labels:
    """Labels that give all accepted pictures of a person the mean of their identities."""
    identity = labels.identity.copy()
    _, number, count = np.unique(person, return_inverse=True, return_counts=True)
    for several in np.flatnonzero(count > 1):
        rows = np.flatnonzero((number == several) & labels.accepted)
        if len(rows):
            identity[rows] = identity[rows].mean(axis=0)
    return replace(labels, identity=identity)


def telling_faces(teacher: Teacher, turn: HeadTurn) -> Bool[np.ndarray, "n"]:
    """Faces of expressions that are seldom seen: blinks, winks, looks aside, uneven mouths."""
    scores = teacher.blend_shapes

    def sides(name: str) -> Float[np.ndarray, "2 n"]:
        return np.stack([scores[f"{name}Left"], scores[f"{name}Right"]])

    shut = sides("eyeBlink").max(axis=0) > SHUT_SCORE
    aside = sides("eyeLookOut").max(axis=0) > ASIDE_SCORE
    uneven = [np.abs(np.subtract(*sides(name))) > UNEVEN_SCORE for name in UNEVEN]
    strong = [scores[name] > least for name, least in STRONG.items()]
    return trusted_scores(teacher, turn) & (shut | aside | np.any(uneven + strong, axis=0))


def _likely(name: str, teacher: Teacher, turn: HeadTurn) -> Float[np.ndarray, "n"]:
    score = teacher.blend_shapes[name]
    if name.startswith("eyeBlink"):
        return blink_closure(score, teacher.lid_opening[name.removeprefix("eyeBlink")], turn)
    if name.startswith("eyeSquint"):
        return 1 - _falling(score, SQUINT_SCORES)
    return score


def _deviation(name: str) -> float:
    if name.startswith("eyeBlink"):
        return BLINK_SD
    return GAZE_SD if name.startswith("eyeLook") else SCORED_SD


def _falling(values: Float[np.ndarray, "*n"], ends: tuple[float, float]) -> Float[np.ndarray, "*n"]:
    """1 up to the first end, 0 from the second on, a straight line between."""
    return np.clip((ends[1] - values) / (ends[1] - ends[0]), 0.0, 1.0)


def _sizes(points: Float[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "n"]:
    return np.sqrt(np.ptp(points, axis=1).prod(axis=1))


def _mirrored(offsets: Float[np.ndarray, "*n 51 2"]) -> Float[np.ndarray, "*n 51 2"]:
    return offsets[..., MIRRORED_INNER, :] * [-1, 1]
