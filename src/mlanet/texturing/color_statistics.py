"""Colours in CIELAB: medians, spreads, deviations and contrast."""

import numpy as np
from jaxtyping import Float

from mlanet.texturing.smooth_fields import Plane, middle

Colors = Float[np.ndarray, "t t 3"]

SKIN_SPREAD = (9.0, 4.0, 4.0)
"""Least standard deviations of skin's CIELAB colours around the lit albedo."""

HAIR_SPREAD = (10.0, 6.0, 6.0)
"""The same of hair around its median colour."""

MOST_SPREAD = 1.6
"""Largest standard deviations over the least ones: a face may be half in the shade."""

SAMPLES = 2000
"""Texels whose medians stand for all."""


def robust(
    values: Colors, weight: Plane, least: tuple[float, float, float]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Median and spread of what has weight."""
    used = np.flatnonzero(weight > 0.5)
    used = used if len(used) else np.flatnonzero(weight > 0.0)
    if not len(used):
        return np.zeros(3, np.float32), np.array(least, np.float32)
    known = values.reshape(-1, 3)[used[:: max(1, len(used) // SAMPLES)]]
    typical = middle(known).astype(np.float32)
    spread = 1.4826 * middle(np.abs(known - typical))
    floor = np.array(least, np.float32)
    return typical, np.clip(spread, floor, MOST_SPREAD * floor).astype(np.float32)


def weighted_median(
    values: Float[np.ndarray, "n c"], weight: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "c"]:
    """Of each column; some weight must be positive."""
    order = np.argsort(values, axis=0)
    total = np.cumsum(weight[order], axis=0)
    half = np.argmax(total >= 0.5 * total[-1], axis=0)
    return np.take_along_axis(values, order, axis=0)[half, np.arange(values.shape[1])]


def deviations(
    values: Colors, middle: Float[np.ndarray, "3"], spread: Float[np.ndarray, "3"]
) -> Plane:
    """Distance from a colour in standard deviations."""
    import cv2

    scaled = cv2.transform(values, np.column_stack([np.diag(1.0 / spread), -middle / spread]))
    return np.sqrt(cv2.transform(scaled * scaled, np.ones((1, 3))))


def contrast(lightness: Plane, weight: Plane, limits: tuple[float, float]) -> float:
    """Standard deviation of the brightness over its mean, of what varies from texel to texel."""
    import cv2

    known = np.maximum(cv2.blur(weight, (5, 5)), 1e-3)
    apart = lightness - cv2.blur(lightness * weight, (5, 5)) / known
    total = max(float(weight.sum()), 1e-3)
    spread = np.sqrt(float((weight * apart * apart).sum()) / total)
    mean = float((weight * lightness).sum()) / total
    return float(np.clip(spread / max(mean, 5.0), *limits))
