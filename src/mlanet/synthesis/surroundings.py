"""What lies behind and before a rendered head: backgrounds, things in front, a camera's flaws."""

from typing import Protocol

import numpy as np
from jaxtyping import Float, UInt8

SMALLEST_PART = 0.3
"""Side of the smallest part of a photo that is shown, over the photo's shorter side."""


class Photos(Protocol):
    """Pictures by number: a tuple of them, or `BackgroundPhotos`."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> UInt8[np.ndarray, "h w 3"]: ...


def procedural_background(size: int, rng: np.random.Generator) -> Float[np.ndarray, "s s 3"]:
    """Noise of several scales, a slope, and a few flat shapes, blurred as far things are."""
    import cv2

    picture = np.empty((size, size, 3), np.float32)
    picture[:] = rng.uniform(0.0, 1.0) + rng.normal(size=3) * 0.12
    slope = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    picture += (slope[:, None] * rng.normal() + slope[None] * rng.normal())[..., None] * 0.5
    colorful = rng.uniform(0.0, 0.6)
    for cells in (2, 4, 9, 20):
        coarse = rng.normal(size=(cells + 1, cells + 1, 3)) * colorful
        coarse += rng.normal(size=(cells + 1, cells + 1, 1)) * (1.0 - colorful)
        strength = rng.uniform(0.0, 0.4) / np.sqrt(cells)
        picture += strength * cv2.resize(
            coarse.astype(np.float32), (size, size), interpolation=cv2.INTER_CUBIC
        )
    for _ in range(rng.integers(0, 7)):
        color = tuple(float(value) for value in rng.uniform(0.0, 1.0, 3))
        first, second = rng.integers(-size // 4, size + size // 4, (2, 2)).tolist()
        if rng.random() < 0.6:
            cv2.rectangle(picture, first, second, color, -1)
        else:
            cv2.circle(picture, first, int(rng.integers(2, size // 2)), color, -1)
    blur = float(rng.uniform(0.0, 0.03)) * size
    if blur > 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), blur)
    return np.clip(picture, 0.0, 1.0)


def photo_background(
    image: UInt8[np.ndarray, "h w 3"], size: int, rng: np.random.Generator
) -> Float[np.ndarray, "s s 3"]:
    """A random square of a photo, mirrored or not."""
    import cv2

    height, width = image.shape[:2]
    side = int(min(height, width) * rng.uniform(SMALLEST_PART, 1.0)) or 1
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    part = image[top : top + side, left : left + side]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    how = cv2.INTER_AREA if side > size else cv2.INTER_LINEAR
    return cv2.resize(part, (size, size), interpolation=how).astype(np.float32) / 255.0


def background(
    size: int,
    rng: np.random.Generator,
    photos: Photos = (),
    photo_share: float = 0.7,
) -> Float[np.ndarray, "s s 3"]:
    """A photo's part, if there are photos, in `photo_share` of the pictures; else procedural."""
    if len(photos) and rng.random() < photo_share:
        return photo_background(photos[int(rng.integers(len(photos)))], size, rng)
    return procedural_background(size, rng)


def occlude(
    picture: Float[np.ndarray, "s s 3"],
    rng: np.random.Generator,
    photos: Photos = (),
) -> Float[np.ndarray, "s s 3"]:
    """Put one smooth blob, or a bar like an arm, with a texture of its own before the picture."""
    import cv2

    size = len(picture)
    turn = np.linspace(0.0, 2.0 * np.pi, 40, endpoint=False)
    radius = np.ones_like(turn)
    for k in (1, 2, 3, 4):
        radius += rng.normal() * 0.35 / k * np.sin(k * turn + rng.uniform(0.0, 2.0 * np.pi))
    stretch = rng.uniform(0.06, 0.22, 2) * size
    if rng.random() < 0.3:
        stretch[0] = size
    points = np.stack([np.cos(turn), np.sin(turn)], axis=1) * radius[:, None] * stretch
    angle = rng.uniform(0.0, np.pi)
    c, s = np.cos(angle), np.sin(angle)
    points = points @ np.array([[c, s], [-s, c]]) + rng.uniform(0.0, size, 2)
    mask = np.zeros((size, size), np.float32)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)
    mask = cv2.GaussianBlur(mask, (0, 0), 0.6)[..., None]
    return picture + mask * (background(size, rng, photos, 0.4) - picture)


def camera_flaws(
    picture: Float[np.ndarray, "s s 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "s s 3"]:
    """A little blur and noise; bytes."""
    import cv2

    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.3, 1.0)))
    if rng.random() < 0.5:
        noise = rng.standard_normal(picture.shape, dtype=np.float32)
        picture = picture + noise * np.float32(rng.uniform(0.0, 0.03))
    return (np.clip(picture, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
