"""Objectives of training and fitting, as pure functions of torch tensors."""

from mlanet.losses.appearance import albedo_uniformity
from mlanet.losses.coefficients import (
    block_weight,
    coefficient_distance,
    coefficient_importance,
    standardized_distance,
    weighted_coefficient_distance,
)
from mlanet.losses.geometric import edge_length_distance, flip_distance, symmetry_distance
from mlanet.losses.identity import identity_distance
from mlanet.losses.landmarks import aperture_distance, landmark_distance
from mlanet.losses.photometric import colors_at_vertices, light_regularizer, photometric_distance
from mlanet.losses.pixels import inside_photo, pixel_distance
from mlanet.losses.prior import coefficient_prior
from mlanet.losses.vertices import shape_distance, vertex_distance
from mlanet.losses.weighted_landmarks import emphasised_weights, weighted_landmark_distance
from mlanet.losses.weights import PAPER, PaperWeights
from mlanet.losses.wing import wing_distance

__all__ = [
    "PAPER",
    "PaperWeights",
    "albedo_uniformity",
    "aperture_distance",
    "block_weight",
    "coefficient_distance",
    "coefficient_importance",
    "coefficient_prior",
    "colors_at_vertices",
    "edge_length_distance",
    "emphasised_weights",
    "flip_distance",
    "identity_distance",
    "inside_photo",
    "landmark_distance",
    "light_regularizer",
    "photometric_distance",
    "pixel_distance",
    "shape_distance",
    "standardized_distance",
    "symmetry_distance",
    "vertex_distance",
    "weighted_coefficient_distance",
    "weighted_landmark_distance",
    "wing_distance",
]
