"""Smooth fields over the plane of texture coordinates: fades, and continuations of a border."""

from typing import Any

import numpy as np
from jaxtyping import Float

Plane = Float[np.ndarray, "t t"]

FEATHER = 0.006
"""Standard deviation of the fade where the seen part ends, of the texture's size."""

HELD = 2.0
"""`hold` with which values at a border are not outweighed by what lies far away."""

LEAST = np.float32(1e-6)

SOME = 0.2
"""Weight beyond which a texel is no farther away than itself."""

FAR = 9.0
"""Reaches beyond which nothing is left of a fade."""


def faded(
    values: Float[np.ndarray, "t t c"],
    weight: Plane,
    reach: float,
    power: int = 1,
    hold: float = 1.0,
) -> Float[np.ndarray, "t t c"]:
    """`extended`, sinking to 1/e at a distance, of the texture's size, from where weight is.

    With a `power` of 2 it hardly sinks at first.
    """
    one_reach = np.float32(reach * len(weight))
    falling = np.exp(-((np.minimum(away(weight), FAR * one_reach) / one_reach) ** power))
    field = extended(values, weight, hold)
    field *= repeated(falling, values.shape[-1])
    return field


def away(weight: Plane) -> Plane:
    """Distance, in texels, from where there is some weight."""
    import cv2

    return cv2.distanceTransform((weight < SOME).astype(np.uint8), cv2.DIST_L2, 3)


def extended(
    values: Float[np.ndarray, "t t c"], weight: Plane, hold: float = 1.0
) -> Float[np.ndarray, "t t c"]:
    """Values as they are where they have weight, 0 to 1, elsewhere smoothly continued.

    A texel of a coarser level is known as far as those that it consists of are, times `hold`: with
    1 to 4, what lies next to a border takes more and more of that border's values, and less of
    those farther away (4 is the saturation of Gortler et al., "The Lumigraph", 1996).
    """
    import cv2

    count = values.shape[-1]
    weights = repeated(np.ascontiguousarray(weight, dtype=np.float32), count)
    levels = [(np.multiply(values, weights, dtype=np.float32), weights)]
    while len(levels[-1][0]) > 2:
        half = (len(levels[-1][0]) + 1) // 2
        known, weights = (
            cv2.resize(plane, (half, half), interpolation=cv2.INTER_AREA).reshape(half, half, count)
            for plane in levels[-1]
        )
        if hold > 1.0:
            more = np.minimum(np.float32(hold), 1.0 / np.maximum(weights, LEAST))
            known, weights = known * more, weights * more
        levels.append((known, weights))
    known, weights = levels[-1]
    result = np.empty_like(known)
    result[:] = known.sum(axis=(0, 1)) / max(float(weights[..., 0].sum()), 1e-6)
    for known, weights in reversed(levels):
        if len(result) != len(known):
            wide = cv2.resize(result, known.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            result = wide.reshape(known.shape)
        result -= result * weights
        result += known
    return result


def repeated(plane: Plane, count: int) -> Float[np.ndarray, "t t c"]:
    """A plane for each of some channels: several times as fast to calculate with as one."""
    import cv2

    return cv2.merge([plane] * count).reshape(*plane.shape, count)


def plus(
    values: Float[np.ndarray, "t t 3"], color: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "t t 3"]:
    """A colour more: several times as fast as a sum of NumPy's."""
    import cv2

    return cv2.add(values, _scalar(color))


def limited(
    values: Float[np.ndarray, "h w 3"], least: Float[np.ndarray, "3"], most: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "h w 3"]:
    """Between limits of each channel."""
    import cv2

    return cv2.min(cv2.max(values, _scalar(least)), _scalar(most))


def _scalar(color: Float[np.ndarray, "3"]) -> Any:
    """A colour as OpenCV takes it instead of a whole plane: a fourth number belongs to it."""
    return (*color.tolist(), 0.0)


def alike(values: Float[np.ndarray, "t t c"], back: Plane) -> Float[np.ndarray, "t t c"]:
    """Left and right of one value where they meet at the back."""
    import cv2

    other = cv2.flip(values, 1).reshape(values.shape)
    return values + repeated(0.5 * back, values.shape[-1]) * (other - values)


def surely(share: Plane) -> Plane:
    """Without the outermost texels, where outlines show what lies behind."""
    return np.maximum(2.0 * share - 1.0, 0.0)


def inner_fade(mask: Plane) -> Plane:
    """Zero up to the mask's border, then rising to one inside."""
    import cv2

    blurred = cv2.GaussianBlur(mask, (0, 0), FEATHER * len(mask), borderType=cv2.BORDER_REPLICATE)
    return np.clip(2.0 * blurred - 1.0, 0.0, 1.0)


def middle(values: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "c"]:
    """The median of each column, the upper one of two: a fraction of the time of NumPy's."""
    half = len(values) // 2
    return np.partition(values, half, axis=0)[half]


def ramp(values: Any, start: Any, end: Any) -> Any:
    """0 before `start`, 1 after `end`, smooth between them."""
    share = np.clip((values - start) / (end - start), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def grown(plane: Plane) -> Plane:
    """The largest value around: outlines of what is foreign are blurred."""
    import cv2

    return cv2.dilate(plane, np.ones((5, 5), np.uint8))


def softened(plane: Plane) -> Plane:
    """Without single texels: opened and blurred."""
    import cv2

    return cv2.GaussianBlur(cv2.medianBlur(plane.astype(np.float32), 5), (0, 0), 1.2)
