"""Where a film jumps from one scene to another."""

import numpy as np
from jaxtyping import Float, UInt8

THUMB_PX = (32, 18)
"""Width and height of the picture in which frames are compared."""

LEAST = 24.0
"""Mean difference (of 255) from the frame before, below which there is no cut."""

TIMES_USUAL = 4.0
"""How many times the usual difference a cut has."""

SAME_LIGHT = 0.8
"""Correlation above which two frames show one scene in other light (a flash, a fade)."""


class CutDetector:
    """Tells for each frame whether a new scene begins with it.

    A cut differs from the frame before far more than frames have differed lately, and not by its
    light alone.

    Attributes:
        before: the last frame, small.
        usual: mean difference of frames from the ones before.
    """

    def __init__(self) -> None:
        self.before: np.ndarray | None = None
        self.usual = 0.0

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> bool:
        """Whether the scene changes with this frame; never with the first one."""
        import cv2

        thumb = cv2.resize(image, THUMB_PX, interpolation=cv2.INTER_AREA)
        thumb = thumb.reshape(-1).astype(np.float32)
        before, self.before = self.before, thumb
        if before is None:
            return False
        difference = float(np.abs(thumb - before).mean())
        cut = difference > max(LEAST, TIMES_USUAL * self.usual) and not _alike(thumb, before)
        if not cut:
            self.usual += (difference - self.usual) * 0.1
        return cut


def _alike(first: Float[np.ndarray, "n"], second: Float[np.ndarray, "n"]) -> bool:
    return correlation(first, second) > SAME_LIGHT


def correlation(first: Float[np.ndarray, "n"], second: Float[np.ndarray, "n"]) -> float:
    """Pearson's coefficient of two pictures; 0 where one of them is flat."""
    first, second = first - first.mean(), second - second.mean()
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / length if length > 0.0 else 0.0
