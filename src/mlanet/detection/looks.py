"""Which parts of a picture the network is shown, and how large."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

GLANCE_PX, LARGER_GLANCE_PX, GLANCED_PX = 128, 160, 460
"""A small look before the first one, of pictures that have no second one; with a longer side above
the third number it is the larger one, so that both show small faces about as large."""

SECOND_GLANCE_PX = 256
"""A look after the glance, where a face fills the picture and the glance did not suffice."""

FILLS = 0.3
"""Size over the picture's longer side of a face that fills it: a glance may suffice."""

FIRST_PX = 384
"""First look: the picture's longer side as the network sees it."""

FINE_PX = 960
"""Second look, of pictures that the first one shows clearly smaller than they are."""

FINEST_PX = 1920
"""Third look, in tiles. Nothing larger is ever shown, however large the picture is."""

CLEARLY = 1.5
"""A finer look must show the picture larger by this, or it would see nothing new."""

LONG = 2.0
"""Pictures that are longer than this over their height or width are shown with the same area."""

TILE_PX, TILE_OVERLAP_PX = 960, 96
"""Longest side of a tile and what neighbours share: the size of the largest face sought in them."""

FRAME_GREY = 128

_MULTIPLE = 32
"""The network halves its input five times."""


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def box(self) -> Float[np.ndarray, "4"]:
        """The same as an array."""
        return np.array([self.left, self.top, self.right, self.bottom], dtype=np.float64)


def looked_at_px(size_px: tuple[int, int], long_side: int) -> float:
    """The longer side that a look of `long_side` gives a picture of this height and width.

    Small pictures are enlarged to `long_side`; long ones that would have more are not enlarged.
    """
    short, long = sorted(size_px)
    return min(long_side * math.sqrt(max(long / (LONG * short), 1.0)), max(long_side, long))


def glance_px(size_px: tuple[int, int]) -> int:
    """Longer side of the first small look at a picture of this height and width."""
    return GLANCE_PX if max(size_px) <= GLANCED_PX else LARGER_GLANCE_PX


def fine_px(size_px: tuple[int, int]) -> float | None:
    """Longer side of the second look; None if it would see nothing new."""
    most = min(float(max(size_px)), looked_at_px(size_px, FINE_PX))
    return most if most >= CLEARLY * looked_at_px(size_px, FIRST_PX) else None


def needs_tiles(size_px: tuple[int, int]) -> bool:
    """Whether a third look sees something new in a picture as large as that look or smaller."""
    return max(size_px) >= CLEARLY * looked_at_px(size_px, FINE_PX)


def tiles(size_px: tuple[int, int]) -> Iterator[Region]:
    """Overlapping parts that cover a picture of this height and width, of nearly equal size."""
    height, width = size_px
    for top, bottom in _spans(height):
        for left, right in _spans(width):
            yield Region(left, top, right, bottom)


def _spans(length: int) -> list[tuple[int, int]]:
    count = max(math.ceil((length - TILE_OVERLAP_PX) / (TILE_PX - TILE_OVERLAP_PX)), 1)
    size = math.ceil((length + (count - 1) * TILE_OVERLAP_PX) / count)
    starts = [round(k * (length - size) / max(count - 1, 1)) for k in range(count)]
    return [(start, start + size) for start in starts]


def resized(
    image: UInt8[np.ndarray, "h w 3"], rows: int, cols: int, *, quick: bool = False
) -> UInt8[np.ndarray, "r c 3"]:
    """The picture in another size, averaged where it becomes smaller.

    If it is to be `quick` (a third of the time) and becomes two to four times smaller, it is
    interpolated to twice the size and averaged two by two, which large faces do not mind.
    """
    import cv2

    if image.shape[:2] == (rows, cols):
        return image
    how = cv2.INTER_AREA if rows < image.shape[0] else cv2.INTER_LINEAR
    if quick and 2 * rows <= image.shape[0] <= 4 * rows:
        image = cv2.resize(image, (2 * cols, 2 * rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(image, (cols, rows), interpolation=how), dtype=np.uint8)


def network_input(
    image: UInt8[np.ndarray, "h w 3"], margin: int = 0
) -> Float[np.ndarray, "1 3 a b"]:
    """The picture in a grey frame, 0 to 255.

    The frame is `margin` pixels wide, on the right and below wider up to multiples of 32.
    """
    rows, cols = image.shape[:2]
    shape = [math.ceil((side + 2 * margin) / _MULTIPLE) * _MULTIPLE for side in (rows, cols)]
    batch = np.full((1, 3, *shape), FRAME_GREY, dtype=np.float32)
    batch[0, :, margin : margin + rows, margin : margin + cols] = image.transpose(2, 0, 1)
    return batch
