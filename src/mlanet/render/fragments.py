"""What a rasteriser finds at each pixel."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int


@dataclass(frozen=True, slots=True)
class Fragments:
    """The nearest triangle at each pixel's centre.

    `face_index` is -1 where there is none; `barycentric` (perspective-correct weights of the
    triangle's three corners) and `depth` (mm along the camera's axis) are zero there.
    """

    face_index: Int[np.ndarray, "h w"]
    barycentric: Float[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]

    @property
    def mask(self) -> Bool[np.ndarray, "h w"]:
        """Where a triangle was hit."""
        return self.face_index >= 0

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        height, width = self.face_index.shape
        return height, width
