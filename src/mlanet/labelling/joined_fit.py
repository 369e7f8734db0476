"""Coefficients of a face model for joined landmarks and likely expressions."""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Shaped

from mlanet.fitting import (
    CropView,
    ExpressionPrior,
    FittingConfig,
    RotationPrior,
    fit_landmarks,
)
from mlanet.fitting.labels import LABEL_CROP_PX, Labels
from mlanet.geometry import six_d_from_matrix
from mlanet.image import square_from_landmarks, square_transform, transform_points
from mlanet.image.crop import invert_transform
from mlanet.labelling.joining import NUM_JAW, face_sizes
from mlanet.morphable import MorphableModel

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
"""Beyond it a fit is rejected, unless another limit is given."""


def fit_joined(
    model: MorphableModel,
    landmarks_px: Float[np.ndarray, "n 68 2"],
    prior: ExpressionPrior,
    scored: Bool[np.ndarray, "n"],
    max_residual_percent: float = MAX_RESIDUAL_PERCENT,
    rotation: RotationPrior | None = None,
) -> tuple[Labels, Float[np.ndarray, "n 68 2"]]:
    """Coefficients of a face model for joined landmarks, within the priors.

    Args:
        model: the face model.
        landmarks_px: of faces that have an extent.
        prior: of their expressions.
        scored: whose expressions the teacher scored.
        max_residual_percent: of accepted fits.
        rotation: prior of the heads' rotations; without it, nothing is known of them.

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
    fit = fit_landmarks(model.landmarks, view, in_crop, weights, FITTING, prior, rotation)
    fitted = fit.landmarks_px[..., :2]
    distance = np.linalg.norm(fitted - in_crop, axis=-1)
    residual = 100 * np.average(distance, axis=1, weights=weights) / face_sizes(in_crop)
    points = landmarks_px.copy()
    for face in np.flatnonzero(scored):
        points[face, LIDS] = transform_points(invert_transform(crops[face]), fitted[face, LIDS])
    labels = Labels(
        boxes,
        fit.identity.astype(np.float32),
        fit.expression.astype(np.float32),
        six_d_from_matrix(fit.rotation).astype(np.float32),
        fit.place[:, :3].astype(np.float32),
        residual.astype(np.float32),
        residual <= max_residual_percent,
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
