"""Shade in an open mouth: cheeks and lips keep the light from what lies behind the incisors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.morphable import MorphableModel
from mlanet.texturing.smooth_fields import Plane, middle, plus, ramp, repeated

TEETH_MM, TEETH_LIGHT = (3.0, 28.0), 0.12
"""Distances behind the incisors between which teeth darken, and the light that is left at the end:
in a smile canines are still bright, molars never."""

LOWER_MM, LOWER_LIGHT = (0.0, 19.0), 0.74
"""The same of lower teeth, and what is left at the front: the upper ones and lips are above them,
and an open mouth shows those at the sides where cheeks would hide them."""

WARMTH = np.array([0.9, 1.15, 1.15], dtype=np.float32)
"""Exponents of the light's channels: what light is left comes from gums and cheeks."""

GUMS_MM, GUMS_LIGHT = (10.0, 15.0), 0.6
"""Distances from the teeth's edges between which lips darken the gums, and the light that is left:
a smile shows whole incisors."""

TONGUE_MM, TONGUE_LIGHT = (2.0, 42.0), 0.05
"""Distances behind the tongue's tip between which it darkens towards the throat."""

SIDES, SIDES_LIGHT = (0.0, 0.9), 0.2
"""Places, of half the tongue's width, between which its sides darken, and the light that is left:
it ends in the shade of the cheeks."""

TIP_MM, TIP_LIGHT = (4.0, 26.0), 0.82
"""Distances behind its tip between which they begin to, since the tip can be put out, and the light
that reaches that."""

THROAT = np.array([0.27, 0.21, 0.20], dtype=np.float32)
"""What is seen where no light is left, over the colour of the tongue: dark red-brown, not black."""

CAVITY_MM, CAVITY_LIGHT = (2.0, 16.0), 0.45
"""Distances behind the incisors' front between which the cheeks' inner sides darken."""

GREENER = (-3.0, 9.0)
"""How much more green than red teeth that the photo does not show must have to be no enamel: a
colour fitted to lips and skin can turn them green."""

ENAMEL = np.array([0.99, 0.94, 0.83], dtype=np.float32)
LUMA = np.array([[0.3, 0.59, 0.11]], dtype=np.float32)
"""What they get instead, over their brightness, and what that is of red, green and blue."""

SEEN = (0.04, 0.12)
"""Shares of a part that a photo must show for its light there to be believed."""


def mouth_light(model: MorphableModel) -> Float[np.ndarray, "v 3"]:
    """Share, 0 to 1, of the light that reaches teeth, tongue, and the rest; 1 where it is no such.

    Empty of models without teeth.
    """
    light = np.ones((model.topology.num_vertices, 3), dtype=np.float32)
    mean = model.subdivide(model.shape.mean)
    upper, lower, tongue = (
        _vertices(model, name) for name in ("teeth_upper", "teeth_lower", "tongue")
    )
    if not (len(upper) and len(lower) and len(tongue)):
        return light[:0]
    for own, share, up, reach in (
        (upper, 1.0, 1.0, TEETH_MM),
        (lower, LOWER_LIGHT, -1.0, LOWER_MM),
    ):
        _, y, z = mean[own].T
        behind = ramp(z.max() - z, *reach) ** 0.8
        edge = (up * y[z > z.max() - TEETH_MM[1] / 2.0]).min()
        under_lip = ramp(up * y - edge, *GUMS_MM)
        light[own, 0] = share * _less(behind, TEETH_LIGHT) * _less(under_lip, GUMS_LIGHT)
    x, _, z = mean[tongue].T
    aside = ramp(np.abs(x) / np.abs(x).max(), *SIDES)
    behind = ramp(z.max() - z, *TONGUE_MM)
    aside *= ramp(z.max() - z, *TIP_MM)
    light[tongue, 1] = TIP_LIGHT * _less(behind, TONGUE_LIGHT) * _less(aside, SIDES_LIGHT)
    if "mouth" in model.regions:
        inside = model.region("mouth").copy()
        inside[np.concatenate([upper, lower, tongue])] = 0.0
        behind = ramp(mean[upper, 2].max() - mean[:, 2], *CAVITY_MM)
        light[:, 2] = _less(inside * behind, CAVITY_LIGHT)
    return light


@dataclass(frozen=True, slots=True)
class MouthShade:
    """A part of the mouth in a texture: the same for all photos.

    Attributes:
        rows: of the texture.
        columns: of the texture.
        count: how many texels not all light reaches.
        taken: share, 0 to 1, that is taken from each channel; 0 where all light reaches.
        dark: 1 where not all light reaches.
        places: some of these texels, by which their colour is known.
    """

    rows: slice
    columns: slice
    count: int
    taken: Float[np.ndarray, "h w 3"]
    dark: Plane
    places: Int[np.ndarray, "n"]

    @classmethod
    def of_light(cls, light: Plane) -> "MouthShade | None":
        """Of the share of light that reaches each texel; None if all of it reaches all."""
        dark = light < 0.996
        if not dark.any():
            return None
        rows, columns = (
            slice(int(found[0]), int(found[-1]) + 1)
            for found in (np.flatnonzero(dark.any(axis=axis)) for axis in (1, 0))
        )
        own = np.where(dark, light, np.float32(1.0))[rows, columns].astype(np.float32)
        taken = np.float32(1.0) - own[..., None] ** WARMTH
        dark = np.asarray(taken[..., 0] > 0.0, dtype=np.float32)
        return cls(rows, columns, int(dark.sum()), taken, dark, np.flatnonzero(dark)[::5])


def shade_mouth(
    image: UInt8[np.ndarray, "s s 3"],
    visibility: Float[np.ndarray, "s s"],
    shades: Sequence[MouthShade],
) -> None:
    """Darken in a texture, in place, what the photo does not show of the parts of the mouth.

    Args:
        image: the texture.
        visibility: how far texels are the photo's own.
        shades: of teeth, tongue, and the rest; or none.
    """
    if not shades:
        return
    teeth, tongue = shades[:2]
    flesh = image[tongue.rows, tongue.columns].reshape(-1, 3)[tongue.places]
    throat = THROAT * middle(flesh)
    for shade in shades:
        place = shade.rows, shade.columns
        own = np.asarray(visibility[place], dtype=np.float32)
        share = float(np.vdot(own, shade.dark)) / shade.count
        hidden = 1.0 - own * np.float32(ramp(share, *SEEN))
        colors = image[place].astype(np.float32)
        if shade is teeth:
            colors = _enamel(colors, hidden)
        taken = repeated(hidden, 3) * shade.taken
        taken *= plus(colors, -throat)
        colors -= taken
        colors += np.float32(0.5)
        image[place] = colors


def _enamel(colors: Float[np.ndarray, "h w 3"], hidden: Plane) -> Float[np.ndarray, "h w 3"]:
    """Colours of teeth, 0 to 255, without a cast of green where they are hidden."""
    import cv2

    red, green, _ = cv2.split(colors)
    cast = hidden * ramp(green - red, *GREENER)
    if not cast.any():
        return colors
    grey = cv2.transform(colors, LUMA)
    change = cv2.merge([grey * share for share in ENAMEL])
    change -= colors
    change *= repeated(cast, 3)
    change += colors
    return change


def _less(share: Float[np.ndarray, "n"], left: float) -> Float[np.ndarray, "n"]:
    return 1.0 - (1.0 - left) * share


def _vertices(model: MorphableModel, part: str) -> np.ndarray:
    if part not in model.part_names:
        return np.zeros(0, dtype=np.int64)
    return np.unique(model.topology.faces[model.faces_of(part)])
