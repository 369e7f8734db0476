"""One annotated picture."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An RGB picture and what is known of the face in it; None is "not annotated".

    `landmarks_px` are the 68 points of iBUG in pixels of `image`: x, y and, with three
    columns, z in the same scale, larger is nearer the viewer, origin arbitrary. `rotation` is
    model to camera and `angles_deg` its (pitch, yaw, roll), both as in
    docs/reference/conventions.md.
    `coefficients` are what a network should predict for the square part `square_px` (left, top,
    side in pixels) of the picture, without it for the square on its longer side; `known` says which
    of them are known, without it all are.
    `surface_jaw`: the first 17 landmarks are points of the surface although they have no third
    column; else they follow the visible contour, as 2D annotators mark it.
    """

    name: str
    image: UInt8[np.ndarray, "h w 3"]
    landmarks_px: Float[np.ndarray, "68 d"] | None = None
    rotation: Float[np.ndarray, "3 3"] | None = None
    angles_deg: Float[np.ndarray, "3"] | None = None
    identity: str | None = None
    coefficients: Float[np.ndarray, "n"] | None = None
    surface_jaw: bool = False
    known: Bool[np.ndarray, "n"] | None = None
    square_px: tuple[float, float, float] | None = None

    @property
    def jaw_on_surface(self) -> bool:
        """Whether the 17 jaw points are fixed on the surface: with depth they always are."""
        points = self.landmarks_px
        return self.surface_jaw or (points is not None and points.shape[1] == 3)
