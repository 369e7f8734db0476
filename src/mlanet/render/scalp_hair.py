"""Whether hair grows on a scalp of which a photo shows a part, where, and of which colour.

Hair is what is seen on the scalp and is no skin in any light: greyer than skin would be at that
lightness (shadows and highlights are skin's hue, darker or paler), of another hue, or much darker
than the skin beside it. The top and the sides are judged apart, since both grow bald apart.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.render.color_statistics import (
    HAIR_SPREAD,
    Colors,
    contrast,
    deviations,
    robust,
    weighted_median,
)
from mlanet.render.smooth_fields import Plane, faded, ramp, softened, surely
from mlanet.render.surface_planes import SurfacePlanes

HUE_SPREAD = 3.2
"""Standard deviation in a and b of skin's colour around what its lightness lets expect."""

PALE_HUE = 0.4
"""What another hue counts of what is lighter than skin: highlights are clipped one channel first."""

DARKER, DARKER_SPREAD = 0.26, 0.11
"""Logarithm of lightness (offset by `BLACK`) by which shaded skin may be darker than the skin
beside it, and what is a standard deviation beyond."""

BLACK, WHITE = 8.0, 100.0
"""Lightnesses added to what is dark, and at which highlights have no hue."""

NO_SKIN = (1.2, 2.2)
"""Deviations between which what is seen on the scalp becomes hair."""

HAIR_SHARE = (0.22, 0.3)
"""Shares of the seen scalp that must be hair for the rest to have some, and to have all."""

LEAST_SEEN = 0.0015
"""Share of the texture that must show the top or the sides for them to be judged."""

MIXED = 0.35
"""Share of skin, by its hue, beyond which a texel of hair is mixed with it."""

LEAST_HUE = 8.0
"""Distance of skin's and hair's a and b from which they tell mixed texels."""

SMOOTH = 0.05
"""Deviations from skin times contrast below which what was taken for hair is skin in its light."""

HAIR_CONTRAST = (0.02, 0.16)
"""Limits of the standard deviation of completed hair over its brightness."""

COVER_REACH = 0.12
"""How far from the photo's border what covers the skin there sinks to 1/e, of the texture's
size."""


@dataclass(frozen=True, slots=True)
class ScalpHair:
    """Hair on a scalp.

    Attributes:
        deviations: from hair's colour.
        color: of hair, CIELAB.
        here: how far a texel that is seen is hair.
        covered: how far hair covers the skin, everywhere.
        contrast: standard deviation of its brightness over that.
    """

    deviations: Plane
    color: Float[np.ndarray, "3"]
    here: Plane
    covered: Plane
    contrast: float

    @classmethod
    def none(cls, like: Plane) -> "ScalpHair":
        """Of a bald head."""
        nothing = np.zeros_like(like)
        return cls(np.full_like(like, 1e3), np.zeros(3, np.float32), nothing, nothing, 0.0)


def hair_of_scalp(
    found: Colors, skin: Colors, from_skin: Plane, share: Plane, surface: SurfacePlanes
) -> ScalpHair:
    """What hair the photo shows.

    Args:
        found: its colours, CIELAB.
        skin: what skin would be there.
        from_skin: deviations from that.
        share: trust in the photo, 0 to 1.
        surface: what is known of the head.
    """
    scalp = share * surface.hairy * np.maximum(surface.cosine, 0.0)
    no_skin = _no_skin(found, skin)
    hairlike = ramp(no_skin, *NO_SKIN)
    top = _share(scalp * surface.crown, hairlike)
    sides = _share(scalp * (1.0 - surface.crown), hairlike)
    if top is None and sides is None:
        return ScalpHair.none(share)
    top = sides if top is None else top
    sides = max(top or 0.0, sides or 0.0)  # nobody is bald at the sides alone
    grown = [float(ramp(value, *HAIR_SHARE)) for value in (top, sides)]
    if max(grown) <= 0.0:
        return ScalpHair.none(share)
    color, spread, apart_from_skin = _color(found, no_skin, scalp * hairlike)
    apart = deviations(found, color, spread)
    possible = surface.may_be_hairy
    likely = 1.0 / (1.0 + np.exp(np.clip(apart - from_skin, -20.0, 20.0)))
    here = softened(likely * possible) * possible
    rough = contrast(found[..., 0], share * here, HAIR_CONTRAST)
    if apart_from_skin * rough < SMOOTH:
        return ScalpHair.none(share)
    prior = surface.hairy * (grown[1] + surface.crown * (grown[0] - grown[1]))
    known = surely(share) * (surface.skin > 0.5)
    change = faded((here - prior)[..., None], known, COVER_REACH)[..., 0]
    covered = np.clip(prior + change * np.maximum(possible, prior), 0.0, 1.0)
    return ScalpHair(apart, color, here, covered, rough)


def _no_skin(found: Colors, skin: Colors) -> Plane:
    """Deviations of colours from what skin is in any light."""
    light, usual = found[..., 0], skin[..., 0]
    paler = (WHITE - light) / np.maximum(WHITE - usual, 1.0)
    darker = (light + BLACK) / (usual + BLACK)
    hue = skin[..., 1:] * np.clip(np.minimum(paler, darker), 0.0, 1.0)[..., None]
    along = skin[..., 1:] / np.maximum(np.linalg.norm(skin[..., 1:], axis=-1, keepdims=True), 1.0)
    apart = found[..., 1:] - hue
    greyer = np.minimum((apart * along).sum(axis=-1), 0.0)
    across = apart[..., 0] * along[..., 1] - apart[..., 1] * along[..., 0]
    across *= np.where(darker > 1.0, PALE_HUE, 1.0)
    shade = np.maximum(-np.log(np.maximum(darker, 0.05)) - DARKER, 0.0) / DARKER_SPREAD
    return np.sqrt((greyer**2 + across**2) / HUE_SPREAD**2 + shade**2)


def _share(scalp: Plane, hairlike: Plane) -> float | None:
    """Of a part of the scalp that is hair; None of one that is not seen."""
    seen = float(scalp.sum())
    return float((scalp * hairlike).sum()) / seen if seen > LEAST_SEEN * scalp.size else None


def _color(
    found: Colors, no_skin: Plane, hair: Plane
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], float]:
    """Median of that half of the hair which skin shines through the least; spread; deviations
    from skin."""
    among = hair > 0.02
    values, weight, apart = found[among], hair[among], no_skin[among]
    usual = weighted_median(apart[:, None], weight)[0]
    color = weighted_median(values, weight * (apart >= usual))
    return color.astype(np.float32), robust(found, 1.0 * among, HAIR_SPREAD)[1], float(usual)
