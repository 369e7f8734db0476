"""How far heads are turned, and pictures of them set upright."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

BAND_DEG, NUM_BANDS = 15.0, 6
"""Yaws that are told apart: frontal, and this many bands of this width to either side."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadTurn:
    """How heads are turned: about the vertical (positive towards the picture's right) and in it."""

    yaw_deg: Float[np.ndarray, "n"]
    roll_rad: Float[np.ndarray, "n"]

    @classmethod
    def of(cls, rotation: Float[np.ndarray, "n 3 3"]) -> "HeadTurn":
        """Of rotations from head (y up, z out of the face) to camera (y down, z forward)."""
        up, ahead = rotation[:, :, 1], rotation[:, :, 2]
        yaw = np.degrees(np.arctan2(ahead[:, 0], -ahead[:, 2]))
        return cls(yaw, np.arctan2(up[:, 0], -up[:, 1]))

    def upright(self, vectors: Float[np.ndarray, "n k 2"]) -> Float[np.ndarray, "n k 2"]:
        """Vectors of the pictures as they are in pictures of upright heads."""
        return _turned(vectors, -self.roll_rad)

    def in_picture(self, vectors: Float[np.ndarray, "n k 2"]) -> Float[np.ndarray, "n k 2"]:
        """The inverse of `upright`."""
        return _turned(vectors, self.roll_rad)

    @property
    def band(self) -> Int[np.ndarray, "n"]:
        """Band of yaw, from `-NUM_BANDS` to `NUM_BANDS`."""
        return np.clip(np.round(self.yaw_deg / BAND_DEG), -NUM_BANDS, NUM_BANDS).astype(int)


def _turned(
    vectors: Float[np.ndarray, "n k 2"], angle_rad: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n k 2"]:
    c, s = np.cos(angle_rad)[:, None], np.sin(angle_rad)[:, None]
    x, y = vectors[..., 0], vectors[..., 1]
    return np.stack([c * x - s * y, s * x + c * y], axis=-1)
