"""Expressions on photos of AFLW2000-3D: a network's answers, and eyes as the annotation shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.errors import DataError
from mlanet.evaluation.expressions.scores import BLINKS, ExpressionScores
from mlanet.evaluation.progress import Progress, batches
from mlanet.image import crop_square, square_from_landmarks
from mlanet.reconstructor import BATCH, Reconstructor

MAX_YAW_DEG = 45.0
"""Faces that are turned further hide an eye, and the teacher is not to be trusted there."""

LEFT_EYE, RIGHT_EYE = slice(42, 48), slice(36, 42)
"""The subject's, in iBUG's order."""

CLOSED_BELOW, OPEN_ABOVE = 0.2, 0.25
"""Aspect ratios of eyes that count as closed and open: annotators and networks leave a gap of a
sixth of the width between the lids of closed eyes, and open ones have about 0.3."""

SHUT = 0.6
"""A score of `eyeBlink` that says that an eye is closed."""


@dataclass(frozen=True, slots=True)
class EyeScores:
    """`eyeBlink` of some eyes.

    Of how many eyes; median and share above `SHUT` are NaN without any.
    """

    eyes: int
    median: float
    share_shut: float


def faces_within_range(annotations: AFLW2000Annotations) -> Int[np.ndarray, "m"]:
    """Rows of the faces that are turned by at most `MAX_YAW_DEG`.

    Raises:
        DataError: there are none.
    """
    rows = np.flatnonzero(np.abs(annotations.yaw_deg) <= MAX_YAW_DEG)
    if not len(rows):
        count = len(annotations.names)
        raise DataError(f"none of the {count} annotated faces is within {MAX_YAW_DEG:g}° of yaw")
    return rows


def predict_photos(
    reconstructor: Reconstructor,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    rows: Sequence[int],
    progress: Progress | None = None,
) -> ExpressionScores:
    """What a network says of annotated faces, cut by their original landmarks.

    Raises:
        DataError: a picture is missing or malformed.
    """
    size = reconstructor.regressor.config.input_size

    def crop(place: int) -> UInt8[np.ndarray, "s s 3"]:
        name = annotations.names[rows[place]]
        if name not in dataset.index_of:
            raise DataError(f"{name}: annotated, but not among the pictures")
        square = square_from_landmarks(annotations.original_px[rows[place]])
        return crop_square(dataset[dataset.index_of[name]].image, square, size).image

    names = tuple(annotations.names[row] for row in rows)
    return predicted_scores(reconstructor, names, crop, progress)


def predicted_scores(
    reconstructor: Reconstructor,
    names: tuple[str, ...],
    crop: Callable[[int], UInt8[np.ndarray, "s s 3"]],
    progress: Progress | None = None,
) -> ExpressionScores:
    """What a network says of faces, of which `crop` gives the picture by number."""
    regressor = reconstructor.regressor
    values: list[Float[np.ndarray, "b e"]] = []
    for numbers in batches(len(names), BATCH, progress):
        vectors = regressor(np.stack([crop(number) for number in numbers]))
        values.append(regressor.config.layout.split(vectors).expression.astype(np.float64))
    expressions = tuple(reconstructor.model.expression_names)
    return ExpressionScores(names, np.concatenate(values), expressions, np.ones(len(names), bool))


def eye_aspect_ratios(landmarks: Float[np.ndarray, "n 68 2"]) -> Float[np.ndarray, "n 2"]:
    """Gap of the lids over the width of the subject's left and right eye.

    The mean of the two distances of facing lid points over that of the corners (Soukupova and
    Cech, "Real-Time Eye Blink Detection using Facial Landmarks", CVWW 2016), in any frame and
    scale; NaN where an eye has no width.
    """
    ratios: list[np.ndarray] = []
    for eye in (LEFT_EYE, RIGHT_EYE):
        corner, lid, other_lid, far_corner, below_other, below = np.moveaxis(
            landmarks[:, eye].astype(np.float64), 1, 0
        )
        gaps = np.linalg.norm(lid - below, axis=1) + np.linalg.norm(other_lid - below_other, axis=1)
        width = np.linalg.norm(corner - far_corner, axis=1)
        ratios.append(gaps / np.where(width > 0.0, 2.0 * width, np.nan))
    return np.stack(ratios, axis=1)


def closed_and_open_eyes(
    predicted: ExpressionScores, ratios: Float[np.ndarray, "n 2"]
) -> dict[str, EyeScores]:
    """`eyeBlink` of the eyes that the annotation shows closed, and of those that it shows open.

    `ratios` are those of `eye_aspect_ratios`.
    """
    blinks = np.stack([predicted.values_of(name) for name in BLINKS], axis=1)
    known = predicted.found[:, None] & np.isfinite(ratios)
    return {
        f"closed (below {CLOSED_BELOW:g})": _scores(blinks, known & (ratios < CLOSED_BELOW)),
        f"open (above {OPEN_ABOVE:g})": _scores(blinks, known & (ratios > OPEN_ABOVE)),
    }


def _scores(blinks: Float[np.ndarray, "n 2"], chosen: Bool[np.ndarray, "n 2"]) -> EyeScores:
    some = blinks[chosen]
    if not len(some):
        return EyeScores(0, float("nan"), float("nan"))
    return EyeScores(len(some), float(np.median(some)), float((some > SHUT).mean()))
