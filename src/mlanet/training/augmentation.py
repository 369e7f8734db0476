"""Ranges of the random changes of training pictures."""

import math
from dataclasses import dataclass

from mlanet.training.checks import check_range, check_types

TURNED_DEG = 120.0
"""How far pictures are turned that are turned out of the upright."""


LEAST_OCCLUDER = 0.05
"""Smallest half width of what lies in front of a face, of the crop's side."""


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
        occluder_size: its largest half width, of the crop's side.
        cut: probability of a side of the crop that lies outside of the photo, black.
        hand: probability of a drawn hand before the face.
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
    occluder_size: float = 0.28
    cut: float = 0.1
    hand: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, 0.0, math.inf, "rotation_deg", "shift", "log_scale", "color")
        chances = ("turned", "flip", "grey", "blur", "motion", "noise", "occluder", "cut", "hand")
        check_range(self, 0.0, 1.0, *chances)
        check_range(self, LEAST_OCCLUDER, 1.0, "occluder_size")
