"""Photos of a folder as backgrounds: found at once, decoded when they are asked for."""

from itertools import chain
from math import ceil
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mlanet.datasets import SkippedSamples
from mlanet.datasets.detections import photo_names
from mlanet.errors import DataError, ImageError
from mlanet.files import PHOTO_SUFFIXES
from mlanet.image import check_image, read_image
from mlanet.synthesis.surroundings import SMALLEST_PART

CACHE_BYTES = 128 * 1024**2
"""Of decoded photos that are kept."""


class BackgroundPhotos:
    """Photos below a folder, upright and made smaller; the next one stands in for a broken one.

    What `photos[index]` is depends on the files alone, not on who asks in what order: they may be
    read by threads and by copies in other processes. Opening reads the headers and leaves out what
    is no picture; a photo that proves damaged when it is decoded is replaced then.

    Args:
        root: Photos, also in its folders; hidden files and folders are left out.
        size: Side of the crops in pixels. Photos are made so small that the smallest part of them
            that is shown still has as many.

    Attributes:
        names: Paths of the photos below `root`, sorted.
        skipped: What was left out on opening, and photos that proved damaged so far.

    Raises:
        DataError: there is no photo that can be read.
    """

    names: tuple[str, ...]
    skipped: SkippedSamples

    def __init__(self, root: Path, size: int) -> None:
        self._root, self._short_px = root, ceil(size / SMALLEST_PART)
        self._kept: dict[int, UInt8[np.ndarray, "h w 3"]] = {}
        self._room = CACHE_BYTES
        self.skipped = SkippedSamples()
        found = photo_names(root)
        self.names = tuple(name for name in found if self._can_be_opened(name))
        if not self.names:
            raise self._nothing_left()
        self[0]  # one at least can be decoded

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        for number in chain(range(index, len(self)), range(index)):
            photo = self._decoded(number)
            if photo is not None:
                return photo
        raise self._nothing_left()

    def _decoded(self, number: int) -> UInt8[np.ndarray, "h w 3"] | None:
        """A photo, nothing if it is damaged.

        Any is as likely as any other to be asked for again: the first that fit are kept.
        """
        if number in self._kept:
            return self._kept[number]
        name = self.names[number]
        if name in self.skipped:
            return None
        try:
            photo = _reduced(read_image(self._root / name), self._short_px)
        except ImageError as error:
            self.skipped.add(name, error)
            return None
        if photo.nbytes <= self._room:
            self._room -= photo.nbytes
            self._kept[number] = photo
        return photo

    def _can_be_opened(self, name: str) -> bool:
        """Whether a file is a picture by its header, or else can be read all the same."""
        try:
            check_image(self._root / name)
        except ImageError as error:  # it says what is wrong
            self.skipped.add(name, error)
            return False
        return True

    def _nothing_left(self) -> DataError:
        reasons = list(self.skipped.reasons.values())
        more = f"; the first of {len(reasons)} that cannot be read: {reasons[0]}" if reasons else ""
        return DataError(
            f"{self._root}: holds no photos ({', '.join(sorted(PHOTO_SUFFIXES))}){more}"
        )


def _reduced(image: UInt8[np.ndarray, "h w 3"], short_px: int) -> UInt8[np.ndarray, "a b 3"]:
    """The picture with a shorter side of at most `short_px`."""
    import cv2

    height, width = image.shape[:2]
    scale = short_px / min(height, width)
    if scale >= 1.0:
        return image
    sides = round(width * scale), round(height * scale)
    return np.asarray(cv2.resize(image, sides, interpolation=cv2.INTER_AREA), np.uint8)
