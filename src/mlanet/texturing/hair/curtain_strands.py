"""Strands of hair that falls: their noise, and where single ones end. The same for everybody."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.texturing.smooth_fields import ramp

HEIGHT, WIDTH = 256, 512
"""Of the texture, texels: powers of two, which all readers can show smaller."""

STRANDS = ((14, 2, 0.5), (44, 3, 0.8), (120, 5, 0.9), (300, 8, 0.6))
"""Cells across and down of locks and strands, and their amplitudes."""

WAVES = 5, 4, 5.0
"""Cells of the same kind, and the texels by which strands wave."""

AT_EDGE_MM = ((60, 4, 3.0), (170, 5, 3.0))
"""Cells of strands that leave the edges beside the face, and how far they do."""

AT_HEM_MM = ((13, 2, 4.5), (60, 2, 4.5), (220, 2, 5.5))
"""The same of the hem."""

BLUNT_MM, BLUNT = (90.0, 190.0), 0.45
"""Lengths between which hair begins to end so unevenly, and how unevenly shorter hair ends."""

SOFT_MM = 1.5
"""Half the width over which what is covered ends."""


def covered(
    edge_mm: Float[np.ndarray, "h w"], hem_mm: Float[np.ndarray, "h w"], length_mm: float
) -> UInt8[np.ndarray, "h w"]:
    """How far texels are hair, 0 to 255, by their distances within edges and hem."""
    beside, below = _ends(len(edge_mm))
    below = (BLUNT + (1.0 - BLUNT) * float(ramp(length_mm, *BLUNT_MM))) * below
    within = np.minimum(edge_mm + beside, hem_mm + below)
    return np.clip(127.5 + within * (127.5 / SOFT_MM), 0.0, 255.0).astype(np.uint8)


@lru_cache(maxsize=2)
def _ends(height: int) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """How much farther strands go on beside the face and below, mm."""
    rng = np.random.default_rng(6)
    return _noise(rng, AT_EDGE_MM, height), _noise(rng, AT_HEM_MM, height)


@lru_cache(maxsize=2)
def locks_and_strands(height: int) -> Float[np.ndarray, "h w"]:
    """Brightness of strands that run down; unit variance."""
    import cv2

    rng = np.random.default_rng(4)
    total = _noise(rng, STRANDS, height)
    across, down, turn = WAVES
    x, y = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(height, dtype=np.float32))
    waves = _noise(rng, ((across, down, turn),), height)
    bent = cv2.remap(total, x + waves, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return bent / bent.std()


def _noise(
    rng: np.random.Generator, kinds: tuple[tuple[int, int, float], ...], height: int
) -> Float[np.ndarray, "h w"]:
    """Sum of noise of cells across and down, and amplitudes."""
    import cv2

    total = np.zeros((height, WIDTH), np.float32)
    for across, down, amplitude in kinds:
        cells = rng.normal(size=(down, across)).astype(np.float32)
        total += amplitude * cv2.resize(cells, (WIDTH, height), interpolation=cv2.INTER_CUBIC)
    return total
