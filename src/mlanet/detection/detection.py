"""What a detector says of one face."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """A person's face in a picture, in pixels of the picture.

    `box_px` is (left, top, right, bottom) and may reach beyond the picture where a face is cut.
    `landmarks_px` are the subject's right eye (left in the picture of an upright, frontal face),
    left eye, tip of the nose, right and left corner of the mouth. `score` is in [0, 1].

    Raises:
        ValueError: an array has another shape, a number is not finite or the box is empty.
    """

    box_px: Float[np.ndarray, "4"]
    landmarks_px: Float[np.ndarray, "5 2"]
    score: float

    def __post_init__(self) -> None:
        for name, shape in (("box_px", (4,)), ("landmarks_px", (5, 2))):
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise ValueError(f"{name} must be {shape} finite numbers, got shape {array.shape}")
        left, top, right, bottom = self.box_px
        if right <= left or bottom <= top:
            raise ValueError(f"box_px is empty: {self.box_px.tolist()}")
        if not 0.0 <= self.score <= 1.0:
            raise ValueError(f"score must be in [0, 1], got {self.score}")

    def as_dict(self) -> dict[str, Any]:
        """As plain values, pixels to two digits."""
        return {
            "box_px": np.round(np.asarray(self.box_px, np.float64), 2).tolist(),
            "landmarks_px": np.round(np.asarray(self.landmarks_px, np.float64), 2).tolist(),
            "score": round(float(self.score), 4),
        }

    @property
    def size_px(self) -> float:
        """Geometric mean of the box's width and height in pixels."""
        left, top, right, bottom = self.box_px
        return float(np.sqrt((right - left) * (bottom - top)))
