"""Drawn hands before faces, of the colour of the face's own skin."""

import numpy as np
from jaxtyping import Float

FINGERS_DEG = (-24.0, -8.0, 8.0, 24.0)
"""Directions of the fingers from the hand's own, before they are spread more or less."""

LENGTHS = (1.35, 1.6, 1.5, 1.15)
"""Of these fingers, in half widths of the palm beyond its middle."""

THUMB_DEG, THUMB_LENGTH = 68.0, 1.25

THICKNESS = (0.2, 0.27)
"""Radius of the fingers in half widths of the palm."""

ARM = 3.5
"""How far the arm goes on beyond the palm, in the same unit."""


def draw_hand(
    picture: Float[np.ndarray, "h w 3"],
    middle_px: Float[np.ndarray, "2"],
    half_width_px: float,
    skin: Float[np.ndarray, "3"],
    rng: np.random.Generator,
) -> Float[np.ndarray, "h w 3"]:
    """A picture in [0, 1] with a hand and its arm before it, in any direction.

    Parts are shaded as round things are, with darker borders between the fingers.

    Args:
        picture: of a face.
        middle_px: of the palm.
        half_width_px: of the palm.
        skin: colour of the face; the hand's is a little lighter or darker.
        rng: random numbers.
    """
    unit = max(half_width_px, 1.0)
    skin = skin * np.exp(0.2 * rng.normal()) * np.exp(0.04 * rng.normal(size=3))
    ahead, spread = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(0.3, 1.3)
    side = rng.choice([-1.0, 1.0])
    parts = [(ahead + np.pi, 0.0, ARM, 0.62), (ahead, -0.3, 0.55, 0.95)]
    thick = rng.uniform(*THICKNESS)
    for degrees, length in zip(FINGERS_DEG, LENGTHS, strict=True):
        turn = ahead + side * spread * np.radians(degrees)
        parts.append((turn, 0.5, 0.5 + length * rng.uniform(0.85, 1.1), thick))
    thumb = ahead + side * np.radians(THUMB_DEG) * rng.uniform(0.6, 1.1)
    parts.append((thumb, 0.2, THUMB_LENGTH, 1.1 * thick))
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]] + 0.5
    dx, dy = (x - middle_px[0]) / unit, (y - middle_px[1]) / unit
    drawn = picture.copy()
    for turn, start, end, radius in parts:  # the later ones lie on the earlier
        along = np.cos(turn) * dx + np.sin(turn) * dy
        across = np.cos(turn) * dy - np.sin(turn) * dx
        apart = np.hypot(across, along - np.clip(along, start, end)) / radius
        shade = (1.0 - 0.45 * np.clip(apart, 0.0, 1.0) ** 4)[..., None] * skin
        drawn = np.where((apart <= 1.0)[..., None], shade, drawn)
    return np.clip(drawn, 0.0, 1.0)
