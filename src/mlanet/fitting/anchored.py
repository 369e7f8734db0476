"""Reconstructions moved onto landmarks, by the landmark fit in the crop's camera."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError
from mlanet.fitting.landmarks import FittingConfig, fit_landmarks
from mlanet.fitting.views import CropView
from mlanet.geometry import six_d_from_matrix
from mlanet.image import transform_points
from mlanet.reconstruction import Reconstruction


def fit_to_landmarks(
    face: Reconstruction,
    landmarks_px: Float[np.ndarray, "68 2"],
    weight: Float[np.ndarray, "68"] | None = None,
    config: FittingConfig | None = None,
) -> Reconstruction:
    """The face with pose, identity and expression of the landmark fit; colours stay.

    Args:
        face: a reconstruction, for instance the network's answer.
        landmarks_px: the 68 points in pixels of the photo; nearness is not used.
        weight: of each point; 0 leaves it out (not visible).
        config: prior and noise.

    Raises:
        ConfigurationError: the face's rotation is not of the 6D kind.
        ValueError: points or weights do not fit (see `fit_landmarks`).
    """
    if face.rotation_kind != "6d":
        raise ConfigurationError(f"fitting needs a 6d rotation, not {face.rotation_kind!r}")
    labels = transform_points(face.crop.crop_from_image, np.asarray(landmarks_px)[:, :2])
    fit = fit_landmarks(
        face.model.landmarks,
        CropView(float(face.crop.size)),
        labels[None],
        None if weight is None else np.asarray(weight)[None],
        config,
    )
    coefficients = Coefficients(
        identity=fit.identity[0].astype(np.float32),
        expression=fit.expression[0].astype(np.float32),
        albedo=face.coefficients.albedo,
        rotation=six_d_from_matrix(fit.rotation[0]).astype(np.float32),
        translation=fit.place[0, :3].astype(np.float32),
        lighting=face.coefficients.lighting,
    )
    return replace(face, coefficients=coefficients)
