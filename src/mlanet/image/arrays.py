"""Arrays of a library's user as pixels."""

import numpy as np
from jaxtyping import Shaped, UInt8

from mlanet.errors import ImageError
from mlanet.image.limits import check_size

_TOLERANCE = 1e-6


def array_pixels(
    image: Shaped[np.ndarray, "..."], name: str, *, bgr: bool = False
) -> UInt8[np.ndarray, "h w 3"]:
    """A new array `(H, W, 3)` uint8 RGB, in one piece.

    Args:
        image: `(H, W)`, `(H, W, 1)` grey, `(H, W, 2)` grey and alpha, `(H, W, 3)` RGB or
            `(H, W, 4)` RGBA, of the types that `eight_bit` takes. Transparency is laid over white.
        name: what the message calls it.
        bgr: whether the colours are in OpenCV's order, blue first.

    Raises:
        ImageError: another shape, type or range, or a size outside the limits.
    """
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or not 1 <= image.shape[2] <= 4:
        hint = "; channels come last" if image.ndim == 3 and image.shape[0] in (1, 3, 4) else ""
        raise ImageError(f"{name}: expected shape (H, W, 3), got {image.shape}{hint}")
    check_size(image.shape[1], image.shape[0], name)
    pixels = eight_bit(image, name)
    if pixels.shape[2] in (2, 4):
        pixels = over_white(pixels[:, :, :-1], pixels[:, :, -1:])
    if bgr:
        pixels = pixels[:, :, ::-1]
    return np.array(np.broadcast_to(pixels, (*pixels.shape[:2], 3)), order="C")


def eight_bit(image: Shaped[np.ndarray, "..."], name: str) -> UInt8[np.ndarray, "..."]:
    """Levels of any numeric kind as uint8 of the same shape.

    uint16 is scaled by the type's range, floats by 255, truth values are black and white; all
    other whole numbers are levels as they are.

    Raises:
        ImageError: another type, a float outside [0, 1] or not finite, a level outside [0, 255].
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.bool_:
        return image.astype(np.uint8) * 255
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if image.dtype.kind not in "iuf":
        raise ImageError(f"{name}: values must be uint8 or float in [0, 1], got {image.dtype}")
    low, high = (image.min(), image.max()) if image.size else (0, 0)
    if image.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise ImageError(
                f"{name}: whole numbers must lie in [0, 255], these in [{low}, {high}]"
                f" ({image.dtype}; only uint16 is scaled)"
            )
        return image.astype(np.uint8)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError(f"{name}: some values are not finite")
    if low < -_TOLERANCE or high > 1.0 + _TOLERANCE:
        raise ImageError(f"{name}: floats must lie in [0, 1], these in [{low:g}, {high:g}]")
    wide = image.astype(np.float32) if image.dtype == np.float16 else image
    return np.rint(np.clip(wide, 0.0, 1.0) * 255.0).astype(np.uint8)


def over_white(
    colors: UInt8[np.ndarray, "h w c"], alpha: UInt8[np.ndarray, "h w 1"]
) -> UInt8[np.ndarray, "h w c"]:
    """Colours over white, weighted by their opacity."""
    weight = alpha.astype(np.uint16)
    mixed = colors * weight + 255 * (255 - weight) + 127
    return (mixed // 255).astype(np.uint8)
