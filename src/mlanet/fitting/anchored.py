"""Reconstructions moved onto landmarks, by the landmark fit in the crop's camera."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError
from mlanet.fitting.contour import JawKind, jaw_lines, outline_points
from mlanet.fitting.landmarks import FittingConfig, LandmarkFit, fit_landmarks
from mlanet.fitting.views import CropView
from mlanet.geometry import six_d_from_matrix
from mlanet.image import transform_points
from mlanet.morphable import LinearShape
from mlanet.reconstruction import Reconstruction

ROUNDS = 4
"""Landmark fits with jaw points of the contour, which are chosen anew before each."""


def fit_to_landmarks(
    face: Reconstruction,
    landmarks_px: Float[np.ndarray, "68 2"],
    weight: Float[np.ndarray, "68"] | None = None,
    config: FittingConfig | None = None,
    *,
    jaw: JawKind = "surface",
) -> Reconstruction:
    """The face with pose, identity and expression of the landmark fit; colours stay.

    Args:
        face: a reconstruction, for instance the network's answer.
        landmarks_px: the 68 points in pixels of the photo; nearness is not used.
        weight: of each point; 0 leaves it out (not visible).
        config: prior and noise.
        jaw: what the 17 jaw points are; those of the visible contour are found on the surface
            anew `ROUNDS` times (`fitting.contour`), first as the given face shows them.

    Raises:
        ConfigurationError: the face's rotation is not of the 6D kind.
        ValueError: points or weights do not fit (see `fit_landmarks`).
    """
    if face.rotation_kind != "6d":
        raise ConfigurationError(f"fitting needs a 6d rotation, not {face.rotation_kind!r}")
    labels = transform_points(face.crop.crop_from_image, np.asarray(landmarks_px)[:, :2])
    weights = None if weight is None else np.asarray(weight)[None]
    view = CropView(float(face.crop.size))
    fitted = face
    for _ in range(ROUNDS if jaw == "contour" else 1):
        points = face.model.landmarks if jaw == "surface" else points_on_outline(fitted)
        fit = fit_landmarks(points, view, labels[None], weights, config)
        fitted = _moved(face, fit)
    return fitted


def points_on_outline(face: Reconstruction) -> LinearShape:
    """The model of the points that 2D annotators mark of the face as it is posed."""
    lines = jaw_lines(face.model)
    points = lines.shape(face.coefficients.identity, face.coefficients.expression)
    seen = face.camera.project(face.pose.apply(points.astype(np.float64)))
    index = outline_points(seen[None], face.pose.rotation[None], lines.candidates)
    return lines.shape.only(index[0])


def _moved(face: Reconstruction, fit: LandmarkFit) -> Reconstruction:
    coefficients = Coefficients(
        identity=fit.identity[0].astype(np.float32),
        expression=fit.expression[0].astype(np.float32),
        albedo=face.coefficients.albedo,
        rotation=six_d_from_matrix(fit.rotation[0]).astype(np.float32),
        translation=fit.place[0, :3].astype(np.float32),
        lighting=face.coefficients.lighting,
    )
    return replace(face, coefficients=coefficients)
