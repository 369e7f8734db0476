"""Objectives of training, as pure functions of torch tensors."""

from mlanet.losses.landmarks import aperture_distance, landmark_distance
from mlanet.losses.photometric import colors_at_vertices, light_regularizer, photometric_distance
from mlanet.losses.prior import coefficient_prior

__all__ = [
    "aperture_distance",
    "coefficient_prior",
    "colors_at_vertices",
    "landmark_distance",
    "light_regularizer",
    "photometric_distance",
]
