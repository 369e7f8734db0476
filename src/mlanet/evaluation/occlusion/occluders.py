"""What is drawn before a face: patches, half-planes, sunglasses, a mask, a hand."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mlanet.errors import UsageError
from mlanet.synthesis.hands import draw_hand
from mlanet.synthesis.surroundings import procedural_background

SHARES = (0.1, 0.2, 0.3, 0.4)
"""Of the area of the landmarks' convex hull that patches cover."""

EYES = (slice(36, 42), slice(42, 48))
HAND = (0.17, 0.25)
"""Half widths of a hand's palm, of the face's size."""

MASK_POINTS = (*range(1, 16), 29)
"""Landmarks around what a mask covers: the jaw and the bridge of the nose."""


@dataclass(frozen=True, slots=True)
class Occluder:
    """What is put before the face.

    Attributes:
        kind: `patch` (an ellipse), `side` (all beyond a line, such as a door), `sunglasses`,
            `mask` or `hand`.
        share: of the face that a patch or a side covers.
    """

    kind: str
    share: float = 0.0

    @property
    def name(self) -> str:
        """For tables."""
        return f"{self.kind} {100 * self.share:g} %" if self.share else self.kind


def occluders(shares: Sequence[float] = SHARES) -> tuple[Occluder, ...]:
    """Patches and sides that cover those shares of the face, sunglasses, a mask, a hand.

    Raises:
        UsageError: a share is not in (0, 1).
    """
    if not all(0.0 < share < 1.0 for share in shares):
        raise UsageError("shares of the face to cover must lie between 0 and 1")
    growing = [Occluder(kind, share) for kind in ("patch", "side") for share in shares]
    return (*growing, Occluder("sunglasses"), Occluder("mask"), Occluder("hand"))


def covered_pixels(
    occluder: Occluder,
    landmarks_px: Float[np.ndarray, "68 2"],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Bool[np.ndarray, "h w"]:
    """Pixels of a picture (height, width) that the occluder covers.

    With one state of the generator, larger shares cover all that smaller ones do.

    Raises:
        ValueError: the kind is unknown.
    """
    import cv2

    if occluder.kind == "sunglasses":
        return _sunglasses(landmarks_px, size)
    if occluder.kind == "mask":
        points = landmarks_px[list(MASK_POINTS)]
        return _filled([np.asarray(cv2.convexHull(points.astype(np.float32)))[:, 0]], size)
    if occluder.kind not in ("patch", "side"):
        raise ValueError(f"{occluder.kind}: no known occluder")
    face = _filled([np.asarray(cv2.convexHull(landmarks_px.astype(np.float32)))[:, 0]], size)
    if not face.any():
        return face
    y, x = np.mgrid[: size[0], : size[1]] + 0.5
    inside = np.stack([x[face], y[face]], axis=1)
    angle, stretch = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(1.0, 2.0)
    center = inside[rng.integers(len(inside))]
    along = np.cos(angle) * (x - center[0]) + np.sin(angle) * (y - center[1])
    across = np.cos(angle) * (y - center[1]) - np.sin(angle) * (x - center[0])
    far = along if occluder.kind == "side" else np.hypot(along / stretch, across)
    return far <= np.quantile(far[face], occluder.share)


def cover(
    image: UInt8[np.ndarray, "h w 3"],
    occluder: Occluder,
    landmarks_px: Float[np.ndarray, "68 2"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with something before the face: glasses, a mask, a hand, or any texture."""
    if occluder.kind == "hand":
        return _with_hand(image, landmarks_px, rng)
    covered = covered_pixels(occluder, landmarks_px, (image.shape[0], image.shape[1]), rng)
    texture: Float[np.ndarray, ...]
    if occluder.kind == "sunglasses":
        texture = np.full(3, 0.08)
    elif occluder.kind == "mask":
        texture = np.array([(0.9, 0.92, 0.93), (0.45, 0.65, 0.8), (0.1, 0.1, 0.1)])[rng.integers(3)]
    else:
        side = max(image.shape[:2])
        texture = procedural_background(side, rng)[: image.shape[0], : image.shape[1]][covered]
    covered_image = image.copy()
    covered_image[covered] = np.rint(255.0 * texture).astype(np.uint8)
    return covered_image


def _with_hand(
    image: UInt8[np.ndarray, "h w 3"],
    landmarks_px: Float[np.ndarray, "68 2"],
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "h w 3"]:
    """A hand of the face's colour whose palm is half as wide as the face or less."""
    import cv2

    hull = np.asarray(cv2.convexHull(landmarks_px.astype(np.float32)))[:, 0]
    face = _filled([hull], (image.shape[0], image.shape[1]))
    if not face.any():
        return image.copy()
    picture = image / 255.0
    y, x = np.nonzero(face)
    place = rng.integers(len(x))
    middle = np.array([x[place], y[place]]) + 0.5
    size = float(np.sqrt(np.ptp(landmarks_px, axis=0).prod()))
    skin = np.median(picture[face], axis=0)
    drawn = draw_hand(picture, middle, rng.uniform(*HAND) * size, skin, rng)
    return np.rint(255.0 * drawn).astype(np.uint8)


def cover_named(
    image: UInt8[np.ndarray, "h w 3"],
    occluder: Occluder,
    landmarks_px: Float[np.ndarray, "68 d"],
    name: str,
    seed: int = 0,
) -> UInt8[np.ndarray, "h w 3"]:
    """`cover`, its random choices made by seed and the picture's name alone."""
    points = np.asarray(landmarks_px[:, :2], dtype=np.float64)
    return cover(image, occluder, points, np.random.default_rng([seed, zlib.crc32(name.encode())]))


def _sunglasses(
    points: Float[np.ndarray, "68 2"], size: tuple[int, int]
) -> Bool[np.ndarray, "h w"]:
    """Two wide ellipses over the eyes, and the bridge between them."""
    apart = points[EYES[1]].mean(axis=0) - points[EYES[0]].mean(axis=0)
    width = max(float(np.linalg.norm(points[45] - points[36])), 1.0)
    angle = float(np.arctan2(apart[1], apart[0]))
    axes = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    turn = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    parts: list[np.ndarray] = []
    for part in EYES:
        eye = points[part]
        half = max(0.85 * float(np.ptp(eye @ axes[0])), 0.1 * width)
        rim = np.stack([half * np.cos(turn), 0.17 * width * np.sin(turn)], axis=1)
        parts.append(eye.mean(axis=0) + rim @ axes)
    bridge = points[[39, 42]]
    thick = 0.03 * width * axes[1]
    parts.append(
        np.stack([bridge[0] - thick, bridge[1] - thick, bridge[1] + thick, bridge[0] + thick])
    )
    return _filled(parts, size)


def _filled(parts: Sequence[np.ndarray], size: tuple[int, int]) -> Bool[np.ndarray, "h w"]:
    import cv2

    mask = np.zeros(size, np.uint8)
    for part in parts:
        cv2.fillPoly(mask, [np.rint((part - 0.5) * 16).astype(np.int32)], 1, cv2.LINE_8, 4)
    return mask > 0
