"""Teeth, tongue and lips in a photo, told apart by their colours.

A mesh's mouth never fits the photo's to the pixel. Lips that lie on its teeth, and teeth on its
lips or tongue, would be smears as soon as it opens.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.texturing.smooth_fields import Plane, middle, ramp

REDDER = (-1.0, 4.0)
"""How much redder than skin (CIELAB a) what is seen is from which it is no tooth."""

DARKER = (-32.0, -18.0)
"""How much darker than skin (CIELAB L) it is up to which it is no tooth."""

BRIGHTER = (4.0, 12.0)
"""How much brighter than lips what has no lips' red is from which it is a tooth on them."""

TEETH_SEEN = (0.015, 0.03)
"""Shares of the teeth's texels that must show some for the photo to be believed."""

LEAST_REDNESS = 12.0
"""CIELAB a beyond which what belongs to the teeth's parts is gum."""


@dataclass(frozen=True, slots=True)
class MouthColors:
    """What the mouth of a photo tells.

    Attributes:
        own: share of the photo's colours that belong to the part that they lie on; 1 elsewhere.
        teeth: how far texels are teeth whose colour is known.
        change: of that colour from the model's, CIELAB.
    """

    own: Plane
    teeth: Plane
    change: Float[np.ndarray, "3"]


def mouth_colors(
    found: Float[np.ndarray, "t t 3"],
    model: Float[np.ndarray, "t t 3"],
    share: Plane,
    skin: Float[np.ndarray, "3"],
    parts: tuple[Plane, Plane, Plane],
) -> MouthColors:
    """Which of the photo's colours in the mouth belong where they lie.

    Args:
        found: the photo's colours, CIELAB.
        model: the model's in the photo's light.
        share: trust in the photo.
        skin: the colour of the person's skin.
        parts: shares of teeth, tongue and lips.
    """
    own, known = np.ones_like(share), np.zeros_like(share)
    change = np.zeros(3, np.float32)
    places = np.flatnonzero(np.maximum.reduce(parts) > 0.05)
    if not len(places):
        return MouthColors(own, known, change)
    teeth, tongue, lips = (part.reshape(-1)[places] for part in parts)
    color, modelled = found.reshape(-1, 3)[places], model.reshape(-1, 3)[places]
    trust = share.reshape(-1)[places]
    reddish = ramp(color[:, 1] - skin[1], *REDDER)
    like_teeth = (1.0 - reddish) * ramp(color[:, 0] - skin[0], *DARKER)
    seen = (teeth > 0.9) & (trust > 0.5) & (like_teeth > 0.7)
    some = float(ramp(seen.sum() / max(float((teeth > 0.9).sum()), 1.0), *TEETH_SEEN))
    on_lips = like_teeth * _brighter_than_lips(color[:, 0], lips * trust)
    kept = 1.0 - teeth * (1.0 - some * like_teeth) - tongue * (1.0 - reddish) - lips * on_lips
    own.reshape(-1)[places] = np.clip(kept, 0.0, 1.0)
    if some > 0.0:
        change = middle(color[seen] - modelled[seen]).astype(np.float32)
        enamel = 1.0 - ramp(modelled[:, 1], 0.5 * LEAST_REDNESS, LEAST_REDNESS)
        known.reshape(-1)[places] = some * teeth * enamel
    return MouthColors(own, known, change)


def _brighter_than_lips(
    lightness: Float[np.ndarray, "n"], lips: Float[np.ndarray, "n"]
) -> Float[np.ndarray, "n"]:
    whole = lips > 0.7
    if not whole.any():
        return np.zeros_like(lightness)
    return ramp(lightness - np.median(lightness[whole]), *BRIGHTER)
