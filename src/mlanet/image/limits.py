"""How large a picture may be, and how small."""

from mlanet.errors import ImageError

MAX_PIXELS = 120_000_000
"""Larger pictures are refused from their header, before memory is taken (360 MB decoded)."""

MAX_SIDE_PX = 32_000
"""OpenCV resamples no picture that is wider or higher than 32,767 pixels."""

MIN_SIDE_PX = 16
"""Nothing can be found in less."""


def check_size(width: int, height: int, name: str, max_pixels: int = MAX_PIXELS) -> None:
    """Refuse what is too small or too large.

    Raises:
        ImageError: one side is below `MIN_SIDE_PX` or above `MAX_SIDE_PX`, or there are more than
            `max_pixels`.
    """
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(
            f"{name}: {width}x{height} pixels are too few; each side needs {MIN_SIDE_PX}"
        )
    if width * height > max_pixels or max(width, height) > MAX_SIDE_PX:
        raise ImageError(
            f"{name}: {width}x{height} pixels are too many; the limit is "
            f"{max_pixels // 1_000_000} megapixels and {MAX_SIDE_PX} on a side"
        )
