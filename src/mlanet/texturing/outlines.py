"""Near a head's outline the photo shows what lies behind it wherever mesh and head part."""

import numpy as np

from mlanet.texturing.photo_texels import GRAZING
from mlanet.texturing.smooth_fields import Plane, grown, ramp

DOUBTED_GRAZING = (0.15, 0.45)
"""Cosines of the angle of sight instead of `GRAZING` where colours differ from skin's."""

AGREEING = (2.2, 3.8)
"""Deviations from skin's colour between which they begin to, and do."""

STEEP_SCALP = (0.3, 0.5)
"""Cosines of the angle of sight between which scalp ceases to be doubted."""

BEHIND_HAIR = (1.3, 2.3)
"""Deviations from hair and skin between which it is background."""

NOT_DARKER = (-8.0, 4.0)
"""Lightness over that of the hair between which this begins to count: hair has shades."""

ALL_HAIR = 2.0
"""Deviations that are added to those from skin where hair covers most heads."""


def trust_at_angle(cosine: Plane, from_skin: Plane, skin: Plane) -> Plane:
    """Share of a photo's weight that remains, 0 to 1.

    Args:
        cosine: of the angle between normal and line of sight.
        from_skin: deviations of the photo's colour from that of the skin nearby.
        skin: share of skin; other parts keep their weight.
    """
    differing = grown(ramp(from_skin, *AGREEING)) * skin
    return 1.0 - differing * (1.0 - trust_in_doubt(cosine))


def trust_in_doubt(cosine: Plane) -> Plane:
    """`trust_at_angle` where colours differ from skin's, of skin or hair."""
    full = np.maximum(ramp(cosine, *GRAZING), np.float32(1e-3))
    return np.minimum(ramp(cosine, *DOUBTED_GRAZING) / full, np.float32(1.0))


def behind_hair(
    cosine: Plane, from_hair: Plane, lighter: Plane, from_skin: Plane, hairy: Plane
) -> Plane:
    """How far steep scalp shows neither hair nor skin, but what lies behind the head, 0 to 1.

    Args:
        cosine: of the angle between normal and line of sight.
        from_hair: deviations from the colour of the person's hair.
        lighter: CIELAB lightness over that of this hair.
        from_skin: deviations from the skin nearby.
        hairy: what hair covers on most heads.
    """
    neither = np.minimum(from_hair, from_skin + ALL_HAIR * hairy)
    steep = 1.0 - ramp(cosine, *STEEP_SCALP)
    return ramp(neither, *BEHIND_HAIR) * ramp(lighter, *NOT_DARKER) * steep * hairy
