"""Whether hair grows on a scalp of which a photo shows a part, where, and of which colour.

Hair is what is seen on the scalp and is no skin in any light: greyer than skin would be at that
lightness (shadows and highlights are skin's hue, darker or paler), of another hue, or much darker
than the skin beside it. The top and the sides are judged apart, since both grow bald apart.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.texturing.color_statistics import (
    HAIR_SPREAD,
    Colors,
    contrast,
    deviations,
    robust,
    weighted_median,
)
from mlanet.texturing.smooth_fields import Plane, faded, ramp, softened, surely
from mlanet.texturing.surface_planes import SurfacePlanes

HUE_SPREAD = 3.2
"""Standard deviation in a and b of skin's colour around what its lightness lets expect."""

PALE_HUE = 0.4
"""What another hue counts of what is lighter than skin: highlights are clipped in one channel
first."""

DARKER, DARKER_SPREAD = 0.26, 0.11
"""Logarithm of lightness (offset by `BLACK`) by which shaded skin may be darker than the skin
beside it, and what is a standard deviation beyond."""

PALER = (8.0, 16.0)
"""By how much lighter than skin hair is that has no other sign."""

WHITISH = (-16.0, -10.0)
"""Negative chroma between which it becomes white."""

PURE = 2.5
"""Deviations beyond which no skin shines through hair."""

BLACK, WHITE = 8.0, 100.0
"""Lightnesses added to what is dark, and at which highlights have no hue."""

NO_SKIN = (1.2, 2.2)
"""Deviations between which what is seen on the scalp becomes hair."""

HAIR_SHARE = (0.19, 0.22)
"""Shares of the seen scalp that must be hair for the rest to have some, and to have all."""

LEAST_SEEN = 0.0006
"""Share of the texture that must show the top or the sides for them to be judged."""

SIDES = (0.1, 0.6)
"""Shares of usual hair between which the sides of the head become hair."""

STRANGE = (2.5, 4.0)
"""Deviations from hair's colour between which what is seen on the scalp is something else."""

NEITHER = (4.0, 6.0)
"""Deviations from hair's colour and from skin in any light between which it is so on the top."""

COLOURLESS, STRANDS = 4.0, 0.1
"""Chroma of skin below which a photo has no colours, and the contrast from which its scalp is hair
all the same."""

LEAST_ROUGH, SMOOTH = 0.026, 0.056
"""Contrast, and deviations from skin times contrast, below which what was taken for hair is skin
in its light, unless most of the scalp is so."""

MOST = 0.6
"""Share of it that is most."""

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
        sure: how far its colour is hair's and not skin's.
        astray: how far it is no hair where the sides of the head have some, or no skin where the
            head is bald.
        covered: how far hair covers the skin, everywhere.
        contrast: standard deviation of its brightness over that.
    """

    deviations: Plane
    color: Float[np.ndarray, "3"]
    here: Plane
    sure: Plane
    astray: Plane
    covered: Plane
    contrast: float

    @classmethod
    def none(cls, astray: Plane) -> "ScalpHair":
        """Of a bald head."""
        nothing, far = np.zeros_like(astray), np.full_like(astray, 1e3)
        return cls(far, np.zeros(3, np.float32), nothing, nothing, astray, nothing, 0.0)


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
    pale = ramp(found[..., 0] - skin[..., 0], *PALER)
    pale *= ramp(-_chroma(found), *WHITISH)
    if (scalp * pale).sum() > MOST * scalp.sum():  # highlights are smaller
        no_skin = np.maximum(no_skin, PURE * pale)
    hairlike = ramp(no_skin, *NO_SKIN)
    top = _share(scalp * surface.crown, hairlike)
    sides = _share(scalp * (1.0 - surface.crown), hairlike)
    foreign = surface.hairy * hairlike
    if top is None and sides is None:
        return ScalpHair.none(foreign)
    top = sides if top is None else top
    share_of_sides = max(top or 0.0, sides or 0.0)  # nobody is bald at the sides alone
    grown = [float(ramp(value, *HAIR_SHARE)) for value in (top, share_of_sides)]
    if max(grown) <= 0.0 and _strands_without_colors(found, skin, scalp):
        no_skin = np.maximum(no_skin, PURE * surface.hairy)
        hairlike, grown, share_of_sides = ramp(no_skin, *NO_SKIN), [1.0, 1.0], 1.0
    if max(grown) <= 0.0:
        return ScalpHair.none(foreign)
    color, spread, apart_from_skin = _color(found, no_skin, scalp * hairlike)
    apart = deviations(found, color, spread)
    possible = surface.may_be_hairy
    likely = 1.0 / (1.0 + np.exp(np.clip(apart - from_skin, -20.0, 20.0)))
    sides = ramp(surface.hairy, *SIDES) * (1.0 - np.maximum(surface.crown, surface.face))
    sides *= grown[1]
    here = np.maximum(softened(likely * possible) * possible, sides)
    sure = hairlike * (1.0 - ramp(apart, *STRANGE))
    rough = contrast(found[..., 0], share * here, HAIR_CONTRAST)
    smooth = rough < LEAST_ROUGH or apart_from_skin * rough < SMOOTH
    if smooth and share_of_sides < MOST:
        return ScalpHair.none(foreign)
    neither = surface.hairy * grown[1] * ramp(np.minimum(apart, no_skin), *NEITHER)
    neither *= 1.0 - surface.face
    astray = np.maximum(sides * (1.0 - sure), neither)
    prior = surface.hairy * (grown[1] + surface.crown * (grown[0] - grown[1]))
    known = surely(share) * (surface.skin > 0.5)
    change = faded((here - prior)[..., None], known, COVER_REACH)[..., 0]
    covered = np.clip(prior + change * np.maximum(possible, prior), 0.0, 1.0)
    return ScalpHair(apart, color, here, sure, astray, covered, rough)


def _strands_without_colors(found: Colors, skin: Colors, scalp: Plane) -> bool:
    """Whether a photo without colours shows strands on the scalp."""
    seen = scalp > 0.02
    if not seen.any() or float(np.median(_chroma(skin[seen][None]))) > COLOURLESS:
        return False
    return contrast(found[..., 0], scalp, HAIR_CONTRAST) > STRANDS


def _no_skin(found: Colors, skin: Colors) -> Plane:
    """Deviations of colours from what skin is in any light."""
    import cv2

    (light, a, b), (usual, usual_a, usual_b) = cv2.split(found), cv2.split(skin)
    paler = (WHITE - light) / np.maximum(WHITE - usual, 1.0)
    darker = (light + BLACK) / (usual + BLACK)
    left = np.clip(np.minimum(paler, darker), 0.0, 1.0)
    a, b = a - left * usual_a, b - left * usual_b
    chroma = np.maximum(np.sqrt(usual_a * usual_a + usual_b * usual_b), 1.0)
    greyer = np.minimum((a * usual_a + b * usual_b) / chroma, 0.0)
    across = (a * usual_b - b * usual_a) / chroma
    across *= np.where(darker > 1.0, PALE_HUE, 1.0)
    shade = np.maximum(-np.log(np.maximum(darker, 0.05)) - DARKER, 0.0) / DARKER_SPREAD
    return np.sqrt((greyer**2 + across**2) / HUE_SPREAD**2 + shade**2)


def _chroma(colors: Colors) -> Plane:
    import cv2

    _, a, b = cv2.split(colors)
    return np.sqrt(a * a + b * b)


def _share(scalp: Plane, hairlike: Plane) -> float | None:
    """Of a part of the scalp that is hair; None of one that is not seen."""
    seen = float(scalp.sum())
    return float((scalp * hairlike).sum()) / seen if seen > LEAST_SEEN * scalp.size else None


def _color(
    found: Colors, no_skin: Plane, hair: Plane
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"], float]:
    """Median of hair through which little skin shines, spread of all, deviations from skin."""
    among = hair > 0.02
    values, weight, apart = found[among], hair[among], no_skin[among]
    usual = float(weighted_median(apart[:, None], weight)[0])
    color = weighted_median(values, weight * (apart >= min(usual, PURE)))
    return color.astype(np.float32), robust(found, 1.0 * among, HAIR_SPREAD)[1], usual
