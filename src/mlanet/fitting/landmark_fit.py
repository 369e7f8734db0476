"""Reconstructions moved onto landmarks, by the landmark fit in the crop's camera."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError
from mlanet.fitting.contour import NUM_JAW, JawKind, jaw_lines, outline_points
from mlanet.fitting.labels import config_for
from mlanet.fitting.landmarks import FittingConfig, LandmarkFit, fit_landmarks
from mlanet.fitting.views import CropView
from mlanet.geometry import fit_similarity, six_d_from_matrix
from mlanet.image import transform_points
from mlanet.morphable import LinearShape
from mlanet.reconstruction import Reconstruction

ROUNDS = 4
"""Landmark fits with jaw points of the contour, which are chosen anew before each."""

OWN_WEIGHT = 0.05
"""Of a face's own points where none are given."""


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
        config: prior and noise; those that suit the face's model without it.
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
    config = config or config_for(face.model)
    fitted = face
    for _ in range(ROUNDS if jaw == "contour" else 1):
        points = face.model.landmarks if jaw == "surface" else points_on_outline(fitted)
        fit = fit_landmarks(points, view, labels[None], weights, config)
        fitted = _moved(face, fit)
    return fitted


def with_own_points(
    face: Reconstruction,
    landmarks_px: Float[np.ndarray, "68 2"],
    weight: Float[np.ndarray, "68"],
    *,
    jaw: JawKind = "surface",
) -> tuple[Float[np.ndarray, "68 2"], Float[np.ndarray, "68"]]:
    """Points and weights for `fit_to_landmarks` where some points are not given.

    The face's own points take their places, carried along by the similarity between its other
    points and the given ones, with a weight of `OWN_WEIGHT`: what is not marked stays as it was
    seen. A jaw of the contour stays without.

    Args:
        face: a reconstruction, for instance the network's answer.
        landmarks_px: points in pixels of the photo; anything where the weight is 0.
        weight: of each point.
        jaw: what the 17 jaw points are.

    Raises:
        ValueError: fewer than two points have a weight.
    """
    given = weight > 0.0
    own = face.landmarks_px[:, :2].astype(np.float64)
    carried = fit_similarity(own[given], landmarks_px[given]).apply(own)
    filled = ~given & ((np.arange(len(own)) >= NUM_JAW) | (jaw == "surface"))
    points = np.where(given[:, None], landmarks_px, carried)
    return points, np.where(filled, OWN_WEIGHT, weight)


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
