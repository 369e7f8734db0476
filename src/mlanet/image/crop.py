"""Square crops: the one function that training, protocols and the product share."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

SQUARE_PER_LANDMARKS = math.sqrt(2.0)
"""Side of a crop over the longer side of the 68 landmarks' bounding box (Zhu et al., 3DDFA)."""

MAX_SUPERSAMPLED_PX = 4096
"""Side of the finest grid on which a crop is sampled before it is averaged."""

WHOLE_PX = 1e-6
"""How far a box of whole pixels may be from them, by rounding."""

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
    inside the picture take a third of the time; their edges do not see what lies beyond.

    Raises:
        ValueError: the box is empty, not finite or not square.
    """
    crop_from_image = square_transform(box_px, size)
    return Crop(resample(image, crop_from_image, size), crop_from_image)


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

    scale = float(np.hypot(*crop_from_image[:, 0]))
    finer = min(max(round(1.0 / scale), 1), max(finest_px // size, 1))
    part = _whole_part(image, crop_from_image, size)
    if part is not None:
        finest = finer * size, finer * size
        return _averaged(cv2.resize(part, finest, interpolation=cv2.INTER_LINEAR), size)
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
    return _averaged(drawn, size)


def _whole_part(
    image: UInt8[np.ndarray, "h w 3"], crop_from_image: Float[np.ndarray, "2 3"], size: int
) -> UInt8[np.ndarray, "a a 3"] | None:
    """What a crop shows, if that is an upright square of whole pixels inside the picture."""
    if crop_from_image[0, 1] or crop_from_image[1, 0] or crop_from_image[0, 0] <= 0.0:
        return None
    corners = np.array([[0.0, 0.0], [size, size]])
    found = transform_points(invert_transform(crop_from_image), corners).reshape(-1)
    left, top, right, bottom = (int(value) for value in np.rint(found))
    height, width = image.shape[:2]
    inside = min(left, top) >= 0 and right <= width and bottom <= height
    if not inside or np.abs(found - [left, top, right, bottom]).max() > WHOLE_PX:
        return None
    return image[top:bottom, left:right]


def _averaged(samples: np.ndarray, size: int) -> UInt8[np.ndarray, "s s 3"]:
    import cv2

    if len(samples) != size:
        samples = cv2.resize(samples, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(samples, dtype=np.uint8)


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
