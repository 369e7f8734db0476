"""Random crops of labelled faces: geometry, colours, occluders."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.image import square_from_landmarks
from mlanet.image.crop import resample
from mlanet.training.checks import check_range, check_types

TURNED_DEG = 120.0
"""How far pictures are turned that are turned out of the upright."""

REFLECTED = 0.3
"""Share of the crops outside of whose picture its mirror image lies instead of black."""

MOST_CUT = 0.4
MOST_MOVED = 0.1
BLUR_PX = (0.4, 1.6)
"""Standard deviations of blur in pixels of the crop."""

LEAST_DETAIL, MOST_DETAIL, FEWEST_PX = 0.25, 0.8, 24
"""What resolution is lost down to: shares of the crop's side, and no fewer pixels than these."""

MOST_NOISE = 0.06
"""Largest standard deviation of pixel noise, of the range of colours."""

MOST_FINER = 8
"""Samples on a side of each pixel of a crop."""


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """Ranges of the random changes; probabilities are per sample.

    Attributes:
        rotation_deg: standard deviation of the in-plane rotation.
        turned: probability of any in-plane rotation up to `TURNED_DEG` instead: heads that lie on
            their side, pictures that nobody set upright.
        shift: uniform shift of the crop's centre, of its side.
        log_scale: standard deviation of the logarithm of the crop's side.
        flip: probability of a mirror image.
        color: strength of brightness, contrast, saturation and hue-like changes.
        grey: probability of a grey picture.
        blur: probability of blur or of lost resolution.
        motion: probability of a camera that moves, up to `MOST_MOVED` of the crop's side.
        noise: probability of pixel noise.
        occluder: probability of something in front of the face.
        cut: probability of a side of the crop that lies outside of the photo, black.
    """

    rotation_deg: float = 15.0
    turned: float = 0.12
    shift: float = 0.06
    log_scale: float = 0.08
    flip: float = 0.5
    color: float = 0.3
    grey: float = 0.05
    blur: float = 0.2
    motion: float = 0.0
    noise: float = 0.2
    occluder: float = 0.3
    cut: float = 0.1

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, 0.0, math.inf, "rotation_deg", "shift", "log_scale", "color")
        chances = ("turned", "flip", "grey", "blur", "motion", "noise", "occluder", "cut")
        check_range(self, 0.0, 1.0, *chances)


@dataclass(frozen=True, slots=True, eq=False)
class CropChange:
    """How a picture becomes a crop: turned, shifted, scaled, then mirrored or not.

    Attributes:
        crop_from_image: before mirroring; a rotation times a scale, and a shift.
        size: side of the crop in pixels.
        mirrored: left and right are swapped.
        reflect: outside of the picture lies its mirror image instead of black.
    """

    crop_from_image: Float[np.ndarray, "2 3"]
    size: int
    mirrored: bool = False
    reflect: bool = False

    @property
    def scale(self) -> float:
        """Pixels of the crop in one of the picture."""
        return float(np.hypot(*self.crop_from_image[:, 0]))

    @property
    def turn_rad(self) -> float:
        """Angle of the rotation from the crop's x towards its y, before mirroring."""
        return float(np.arctan2(self.crop_from_image[1, 0], self.crop_from_image[0, 0]))

    def picture(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "s s 3"]:
        """The crop of a picture."""
        crop = resample(
            image,
            self.crop_from_image,
            self.size,
            finest_px=MOST_FINER * self.size,
            mirror_outside=self.reflect,
        )
        return np.ascontiguousarray(crop[:, ::-1] if self.mirrored else crop)

    def landmarks(self, landmarks_px: Float[np.ndarray, "68 3"]) -> Float[np.ndarray, "68 3"]:
        """The 68 points of the picture in pixels of the crop; depth in its scale."""
        points = landmarks_px.astype(np.float64)
        points[:, :2] = points[:, :2] @ self.crop_from_image[:, :2].T + self.crop_from_image[:, 2]
        points[:, 2] *= self.scale
        if self.mirrored:
            points = points[MIRRORED_LANDMARKS]
            points[:, 0] = self.size - points[:, 0]
        return points.astype(np.float32)


def random_change(
    landmarks_px: Float[np.ndarray, "68 d"],
    size: int,
    config: AugmentationConfig,
    rng: np.random.Generator,
) -> CropChange:
    """A random change of the evaluation protocol's crop (`square_from_landmarks`).

    The square is that of the turned picture; shift and scale are relative to it.
    """
    turn = rng.uniform(-TURNED_DEG, TURNED_DEG)
    upright = rng.random() >= config.turned
    angle = np.radians(rng.normal() * config.rotation_deg if upright else turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    box = square_from_landmarks(landmarks_px[:, :2] @ rotation.T)
    side = float(box[2] - box[0])
    center = (box[:2] + box[2:]) / 2 + rng.uniform(-config.shift, config.shift, 2) * side
    scale = size / (side * float(np.exp(rng.normal() * config.log_scale)))
    linear, offset = scale * rotation, size / 2 - scale * center
    reflect = bool(rng.random() < REFLECTED)
    mirrored = bool(rng.random() < config.flip)
    return CropChange(np.column_stack([linear, offset]), size, mirrored, reflect)


def random_look(
    crop: UInt8[np.ndarray, "s s 3"],
    config: AugmentationConfig,
    rng: np.random.Generator,
    *,
    colors: bool = True,
) -> UInt8[np.ndarray, "s s 3"]:
    """Random colours, unless they are to stay, flaws, and something in front of the face."""
    pixels = crop.astype(np.float32) / 255.0
    if colors:
        pixels = change_colors(pixels, config, rng)
    pixels = add_flaws(pixels, config, rng)
    crop = (np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    if rng.random() < config.occluder:
        crop = put_occluder(crop, rng)
    return cut_side(crop, rng) if rng.random() < config.cut else crop


def random_crop(
    image: UInt8[np.ndarray, "h w 3"],
    landmarks_px: Float[np.ndarray, "68 3"],
    size: int,
    config: AugmentationConfig,
    rng: np.random.Generator,
) -> tuple[UInt8[np.ndarray, "s s 3"], Float[np.ndarray, "68 3"]]:
    """A changed crop around the labelled face, and its landmarks in the crop's pixels.

    See `random_change` and `random_look`.
    """
    change = random_change(landmarks_px, size, config, rng)
    return random_look(change.picture(image), config, rng), change.landmarks(landmarks_px)


def change_colors(
    pixels: Float[np.ndarray, "s s 3"], config: AugmentationConfig, rng: np.random.Generator
) -> Float[np.ndarray, "s s 3"]:
    """Random gamma, brightness, channel gains, contrast, saturation and grey; not clipped."""
    c = config.color
    pixels = pixels ** float(np.exp(rng.normal() * c))
    gain = np.exp(rng.normal() * 0.5 * c + rng.normal(size=3) * 0.2 * c).astype(np.float32)
    pixels = pixels * gain
    mean = float(pixels.mean())
    pixels = mean + (pixels - mean) * float(np.exp(rng.normal() * 0.5 * c))
    grey = pixels.mean(axis=2, keepdims=True)
    keep = 0.0 if rng.random() < config.grey else float(np.exp(rng.normal() * c))
    return grey + (pixels - grey) * keep


def add_flaws(
    pixels: Float[np.ndarray, "s s 3"], config: AugmentationConfig, rng: np.random.Generator
) -> Float[np.ndarray, "s s 3"]:
    """Random blur, lost resolution, motion and noise, which leave colours as they are."""
    import cv2

    size = pixels.shape[0]
    if rng.random() < config.blur:
        if rng.random() < 0.5:
            pixels = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(*BLUR_PX)))
        else:
            small = max(FEWEST_PX, int(size * rng.uniform(LEAST_DETAIL, MOST_DETAIL)))
            pixels = cv2.resize(pixels, (small, small), interpolation=cv2.INTER_AREA)
            pixels = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_LINEAR)
    if config.motion > 0.0 and rng.random() < config.motion:
        pixels = move(pixels, rng.uniform(0.0, MOST_MOVED) * size, rng.uniform(0.0, np.pi))
    if rng.random() < config.noise:
        noise = rng.normal(size=pixels.shape).astype(np.float32)
        pixels = pixels + noise * float(rng.uniform(0.0, MOST_NOISE))
    return pixels


def move(
    pixels: Float[np.ndarray, "s s 3"], length_px: float, angle_rad: float
) -> Float[np.ndarray, "s s 3"]:
    """The mean of the picture moved along a straight way of this length, centred on it."""
    import cv2

    along = length_px * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    parts = max(2, math.ceil(length_px) + 1)
    total = np.zeros_like(pixels)
    for part in np.linspace(-0.5, 0.5, parts):
        shift = np.column_stack([np.eye(2), part * along])
        total += cv2.warpAffine(pixels, shift, pixels.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return total / parts


def cut_side(
    crop: UInt8[np.ndarray, "s s 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "s s 3"]:
    """Blacken up to `MOST_CUT` of the crop at one of its sides, as if the photo ended there."""
    width = round(rng.uniform(0.0, MOST_CUT) * crop.shape[0])
    turns = int(rng.integers(4))
    turned = np.rot90(crop, turns).copy()
    turned[:width] = 0
    return np.ascontiguousarray(np.rot90(turned, -turns))


def put_occluder(
    crop: UInt8[np.ndarray, "s s 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "s s 3"]:
    """Cover part of the crop with an ellipse, a box or a bar of flat or noisy colour."""
    import cv2

    size = crop.shape[0]
    mask = np.zeros((size, size), np.uint8)
    center = tuple(int(v) for v in rng.uniform(0.05, 0.95, 2) * size)
    axes = tuple(int(v) for v in rng.uniform(0.05, 0.28, 2) * size)
    turn = float(rng.uniform(0, 180))
    kind = rng.integers(3)
    if kind == 0:
        cv2.ellipse(mask, center, axes, turn, 0, 360, 255, -1)
    else:
        stretch = (axes[0] * 2, axes[1] * 2) if kind == 1 else (2 * size, axes[1] // 2 + 1)
        corners = cv2.boxPoints((center, stretch, turn))
        cv2.fillConvexPoly(mask, corners.astype(np.int32), 255)
    color = rng.integers(0, 256, 3)
    patch = np.broadcast_to(color, crop.shape).astype(np.float32)
    if rng.random() < 0.5:
        coarse = rng.uniform(0, 255, (rng.integers(2, 9), rng.integers(2, 9), 3))
        patch = cv2.resize(coarse.astype(np.float32), (size, size))
    out = crop.copy()
    out[mask > 0] = patch[mask > 0].astype(np.uint8)
    return out
