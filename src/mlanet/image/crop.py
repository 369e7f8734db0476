"""Square crops: the one function that training, protocols and the product share."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

SQUARE_PER_LANDMARKS = math.sqrt(2.0)
"""Side of a crop over the longer side of the 68 landmarks' bounding box (Zhu et al., 3DDFA)."""

MAX_SUPERSAMPLED_PX = 4096
"""Side of the finest grid on which a crop is sampled before it is averaged."""

_SQUARE_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A square of a picture, resampled to `(S, S, 3)` uint8 RGB.

    `crop_from_image` `(2, 3)` maps pixels of the picture to pixels of the crop
    (docs/reference/conventions.md: the corner of a picture is (0, 0)).
    """

    image: UInt8[np.ndarray, "s s 3"]
    crop_from_image: Float[np.ndarray, "2 3"]

    def __post_init__(self) -> None:
        shape = self.image.shape
        if self.image.ndim != 3 or shape[0] != shape[1] or self.image.dtype != np.uint8:
            raise ValueError(
                f"the image of a crop is a uint8 square, got {self.image.dtype} {shape}"
            )
        if self.crop_from_image.shape != (2, 3):
            raise ValueError(f"crop_from_image must be (2, 3), got {self.crop_from_image.shape}")

    @property
    def size(self) -> int:
        """Side in pixels."""
        return int(self.image.shape[0])

    @property
    def square_px(self) -> Float[np.ndarray, "4"]:
        """The square (left, top, right, bottom) in pixels of the picture."""
        corners = np.array([[0.0, 0.0], [self.size, self.size]])
        return transform_points(invert_transform(self.crop_from_image), corners).reshape(-1)


def square_transform(box_px: Float[np.ndarray, "4"], size: int) -> Float[np.ndarray, "2 3"]:
    """`crop_from_image` of the square box (left, top, right, bottom) and a crop of `size` pixels.

    Raises:
        ValueError: the box is empty, not finite or not square.
    """
    left, top, right, bottom = (float(value) for value in box_px)
    width, height = right - left, bottom - top
    if not (width > 0 and abs(width - height) <= _SQUARE_TOLERANCE * width < math.inf):
        raise ValueError(f"a crop needs a square box, got {width:g} x {height:g} pixels")
    scale = 2.0 * size / (width + height)
    return np.array([[scale, 0.0, -left * scale], [0.0, scale, -top * scale]])


def crop_square(
    image: UInt8[np.ndarray, "h w 3"], box_px: Float[np.ndarray, "4"], size: int
) -> Crop:
    """Cut the square box (left, top, right, bottom; pixels) out and resample it to `size`.

    Enlarged crops are interpolated linearly. Reduced ones are sampled about once per pixel of the
    picture and averaged, so that fine texture does not alias. Outside of the picture lies
    black, as in the crops of AFLW and 300W-LP that networks are trained on. Boxes of whole pixels
    inside the picture take a third of the time.

    Raises:
        ValueError: the box is empty, not finite or not square.
    """
    crop_from_image = square_transform(box_px, size)
    part = _whole_part(image, box_px)
    if part is None:
        return Crop(resample(image, crop_from_image, size), crop_from_image)
    return Crop(_resized(part, size), crop_from_image)


def _whole_part(
    image: UInt8[np.ndarray, "h w 3"], box_px: Float[np.ndarray, "4"]
) -> UInt8[np.ndarray, "a a 3"] | None:
    """The pixels of a box that has whole ones, all of them inside the picture."""
    left, top, right, bottom = (int(value) for value in np.rint(box_px))
    height, width = image.shape[:2]
    inside = min(left, top) >= 0 and right <= width and bottom <= height
    if not inside or not np.array_equal(box_px, [left, top, right, bottom]):
        return None
    return image[top:bottom, left:right]


def _resized(part: UInt8[np.ndarray, "a a 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    """As `resample` has it in a third of the time; the edge does not see what lies beyond it."""
    import cv2

    finest = size * _finer(size / len(part), size, MAX_SUPERSAMPLED_PX)
    drawn = cv2.resize(part, (finest, finest), interpolation=cv2.INTER_LINEAR)
    return _averaged(np.asarray(drawn, dtype=np.uint8), size)


def resample(
    image: UInt8[np.ndarray, "h w 3"],
    crop_from_image: Float[np.ndarray, "2 3"],
    size: int,
    *,
    finest_px: int = MAX_SUPERSAMPLED_PX,
    mirror_outside: bool = False,
) -> UInt8[np.ndarray, "s s 3"]:
    """A square of `size` pixels of a picture that is turned, scaled and shifted.

    What is enlarged is interpolated linearly, between two pixels in each direction. What is reduced
    is so sampled at least every 1.5 pixels of the picture, on a grid of at most `finest_px`, and
    averaged: OpenCV's warp alone does not.

    Args:
        image: the picture.
        crop_from_image: a rotation times a scale, and a shift, in pixels of both.
        size: side of the result in pixels.
        finest_px: side of the finest grid.
        mirror_outside: outside of the picture lies its mirror image instead of black.
    """
    import cv2

    finer = _finer(float(np.hypot(*crop_from_image[:, 0])), size, finest_px)
    linear, offset = finer * crop_from_image[:, :2], finer * crop_from_image[:, 2]
    # OpenCV counts from the first pixel's centre: index i lies at i + 0.5 in both pictures.
    shift = offset + linear.sum(axis=1) * 0.5 - 0.5
    drawn = cv2.warpAffine(
        image,
        np.column_stack([linear, shift]),
        (size * finer, size * finer),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101 if mirror_outside else cv2.BORDER_CONSTANT,
    )
    return _averaged(np.asarray(drawn, dtype=np.uint8), size)


def _finer(scale: float, size: int, finest_px: int) -> int:
    """How many samples in each direction are averaged to a pixel of a crop."""
    return min(max(round(1.0 / scale), 1), max(finest_px // size, 1))


def _averaged(samples: UInt8[np.ndarray, "f f 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
    import cv2

    if len(samples) == size:
        return samples
    drawn = cv2.resize(samples, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(drawn, dtype=np.uint8)


def invert_transform(matrix: Float[np.ndarray, "2 3"]) -> Float[np.ndarray, "2 3"]:
    """The affine map that undoes this one, for instance `image_from_crop`."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.concatenate([linear, -linear @ matrix[:, 2:]], axis=1)


def transform_points(
    matrix: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "*n 2"]
) -> Float[np.ndarray, "*n 2"]:
    """Points through an affine map."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def square_from_landmarks(points: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "4"]:
    """The square (left, top, right, bottom) to crop for the 68 landmarks of a face, in pixels.

    It shares the centre of the landmarks' bounding box and is `SQUARE_PER_LANDMARKS` times its
    longer side wide: the rule behind the ground-truth crops of 300W-LP and AFLW2000-3D.
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    center = (low + high) / 2.0
    half = SQUARE_PER_LANDMARKS * float((high - low).max()) / 2.0
    return np.concatenate([center - half, center + half]).astype(np.float64)
