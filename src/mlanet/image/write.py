"""Pictures to files."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Num

from mlanet.errors import ImageError
from mlanet.files import atomic_path
from mlanet.image.arrays import eight_bit

_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"compress_level": 3},  # a third of the default's time, a few per cent larger
    ".jpg": {"quality": 95, "subsampling": 0},
    ".jpeg": {"quality": 95, "subsampling": 0},
    ".webp": {"quality": 95},
}


def write_image(path: str | os.PathLike[str], image: Num[np.ndarray, "..."]) -> None:
    """Write a picture in one step; the suffix (.png, .jpg, .jpeg, .webp) says the format.

    Args:
        path: where to; its folder exists.
        image: `(H, W)` grey, `(H, W, 3)` RGB or `(H, W, 4)` RGBA (not for JPEG), uint8, uint16
            or float in [0, 1]; 8 bits are written.

    Raises:
        ImageError: the suffix is another, the array is no picture or the file cannot be written.
            The message begins with the path.
    """
    from PIL import Image

    name = os.fspath(path)
    options = _SAVE_OPTIONS.get(Path(name).suffix.lower())
    if options is None:
        raise ImageError(f"{name}: pictures are written as {', '.join(_SAVE_OPTIONS)}")
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] in (3, 4))):
        raise ImageError(f"{name}: expected shape (H, W, 3), got {image.shape}")
    pixels = eight_bit(image, name)
    try:
        with atomic_path(name) as temporary:
            Image.fromarray(np.ascontiguousarray(pixels)).save(temporary, **options)
    except OSError as error:
        raise ImageError(f"{name}: cannot be written ({error.strerror or error})") from error
