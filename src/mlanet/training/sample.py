"""A face to train with, wherever it comes from."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mlanet.morphable import MorphableModel

JAW_WEIGHT_2D = 0.2
"""Weight of the 17 jaw points of labels that follow the visible contour, while the model's are
fixed on the surface."""

APPEARANCE = ("albedo", "lighting")
"""Blocks of coefficients that say what colours a face has."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A picture of one face and what is known of it.

    Attributes:
        image: uint8 RGB.
        landmarks_px: x, y and z in the picture's pixels; z is zero where depth is not labelled.
            Without landmarks these are points whose square is to be cropped.
        has_depth: z is labelled.
        box_px: the square to crop.
        coefficients: in the camera of `square_px`; zero where not known.
        known: which of them are known.
        square_px: left, top, side in pixels.
        has_landmarks: without them the face can only be an unlabelled sample.
        jaw_weight: of the 17 jaw points.
    """

    image: UInt8[np.ndarray, "h w 3"]
    landmarks_px: Float[np.ndarray, "68 3"]
    has_depth: bool
    box_px: Float[np.ndarray, "4"]
    coefficients: Float[np.ndarray, "n"]
    known: Bool[np.ndarray, "n"]
    square_px: tuple[float, float, float]
    has_landmarks: bool = True
    jaw_weight: float = 1.0

    def knows_colors(self, model: MorphableModel) -> bool:
        """Whether a change of the picture's colours would make known coefficients wrong."""
        return any(bool(self.known[model.layout.slices[name]].any()) for name in APPEARANCE)
