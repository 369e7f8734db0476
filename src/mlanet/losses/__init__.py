"""Objectives of training and fitting, as pure functions of torch tensors."""

from mlanet.losses.coefficients import (
    block_weight,
    coefficient_distance,
    coefficient_importance,
    coefficient_prior,
    light_regularizer,
    prior_terms,
    side_distance,
    standardized_distance,
    weighted_coefficient_distance,
)
from mlanet.losses.colors import (
    albedo_uniformity,
    color_distance,
    colors_at_vertices,
    inside_photo,
    robust_color_distance,
)
from mlanet.losses.identity import identity_distance, person_contrast
from mlanet.losses.landmarks import (
    aperture_distance,
    emphasised_landmark_distance,
    flip_distance,
    landmark_distance,
    landmark_likelihood,
    variance_likelihood,
    wing_distance,
)
from mlanet.losses.mesh import (
    edge_length_distance,
    shape_distance,
    symmetry_distance,
    vertex_distance,
)
from mlanet.losses.terms import Term, weighted_sum

__all__ = [
    "Term",
    "albedo_uniformity",
    "aperture_distance",
    "block_weight",
    "coefficient_distance",
    "coefficient_importance",
    "coefficient_prior",
    "color_distance",
    "colors_at_vertices",
    "edge_length_distance",
    "emphasised_landmark_distance",
    "flip_distance",
    "identity_distance",
    "inside_photo",
    "landmark_distance",
    "landmark_likelihood",
    "light_regularizer",
    "person_contrast",
    "prior_terms",
    "robust_color_distance",
    "shape_distance",
    "side_distance",
    "standardized_distance",
    "symmetry_distance",
    "variance_likelihood",
    "vertex_distance",
    "weighted_coefficient_distance",
    "weighted_sum",
    "wing_distance",
]
