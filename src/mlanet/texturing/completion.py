"""What a photo does not show of a head, in the colours of what it shows.

Colours are compared in CIELAB. Whatever stands in for hidden parts is moved by a smooth field that
vanishes nowhere: at the border its colours are the photo's own, far away they are as much lighter
or redder as on average (pull-push interpolation; Gortler et al., "The Lumigraph", 1996).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import AMBIENT_WHITE
from mlanet.texturing.color_statistics import SKIN_SPREAD, Colors, contrast, deviations, robust
from mlanet.texturing.hair.scalp import hair_of_scalp
from mlanet.texturing.light_fit import fit_lighting, linear_shading
from mlanet.texturing.mouth_colors import mouth_colors
from mlanet.texturing.outlines import behind_hair, trust_at_angle, trust_in_doubt
from mlanet.texturing.smooth_fields import (
    HELD,
    Plane,
    alike,
    away,
    extended,
    faded,
    grown,
    inner_fade,
    limited,
    plus,
    ramp,
    repeated,
    softened,
    surely,
)
from mlanet.texturing.surface_planes import SurfacePlanes

HIDDEN_LIGHT, FACE_LIGHT, SEEN_LIGHT = (0.75, 1.06), (0.93, 1.05), (0.4, 1.6)
"""Limits of the fitted light, relative to its mean: on what is completed, the same in the middle of
the face (below a nose light is thrown back), and on the photo's own where it is divided out."""

FOREIGN = (2.6, 3.9)
"""Deviations from skin's colour between which a texel becomes foreign."""

HAIRLIKE = (1.0, 2.5)
"""Deviations by which colours must be nearer to hair than to skin to be hair on the cheeks."""

NECK_DOUBT = 2.1
"""What deviations count more on the neck, where clothes begin."""

SHADOW, MOST_SHADOW = 0.4, 20.0
"""What darkness counts there, below the chin, of lightness up to this one; black is no shadow."""

SKIN_CONTRAST = (0.0, 0.011)
"""Limits of the standard deviation of completed skin over its brightness."""

GROWING = 1.0
"""Deviation from the skin nearby at which what lies farther out counts little for what skin is
usual there."""

TYPICAL = 1.5
"""Deviation from skin's or hair's colour at which it counts little for what is hidden."""

LASHES = 1.2
"""The same of lips. Around eyes and mouth nothing counts: shadow and lashes around an open eye do
not colour the lid that it folds away."""

MOST_LOCAL = np.array([30.0, 6.0, 6.0], dtype=np.float32)
"""Largest local CIELAB deviations that hidden skin takes from its border: no hard shadows."""

MOST_BORDER = np.array([30.0, 10.0, 10.0], dtype=np.float32)
"""The same of what fades within `BORDER_REACH`: at outlines the photo shows the background, too."""

REACH = 0.14
"""How far from the photo's border a local deviation of skin's colour sinks to 1/e, of the
texture's size."""

HAIR_REACH = 0.2
"""The same of hair, whose colour varies more."""

CERTAIN = (0.4, 0.8)
"""Shares of the photo between which its colours begin to be carried on, and are: the outermost ones
are mixed with what lies behind."""

BORDER_REACH = 0.08
"""The same of whatever else the photo shows at its border: shadows, beards, single strands."""

MIRRORED = 0.04
"""How far from the photo's border the other side's photo begins to count, of the texture's size, at
the most: what it shows beside the border does not fit there."""

NEARBY_SIDE, NEARBY_REACH = 40, 0.4
"""Texels across at which skin's usual colour varies over the face, and how far it does beyond it,
of the texture's size."""

ZERO = np.zeros(3, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Completion:
    """How the texture is put together.

    Attributes:
        fields: skin that completes the photo (3, 0 to 255), share of the mirrored photo that is
            added to it, the share of the photo's weight that remains, how far hair covers the
            skin, and the hair (3, 0 to 255).
        shade: brightness of the light on the surface over its mean on the seen skin.
        contrast: standard deviations of fine detail of skin and of hair, over their brightness.
    """

    fields: Float[np.ndarray, "t t 9"]
    shade: Plane
    contrast: tuple[float, float]


def complete(
    photo: UInt8[np.ndarray, "t t 3"],
    weight: UInt8[np.ndarray, "t t"],
    seen: UInt8[np.ndarray, "t t"],
    surface: SurfacePlanes,
    *,
    symmetric: bool,
) -> Completion:
    """The hidden parts, and how far what is seen is foreign.

    Args:
        photo: its colours at texels.
        weight: trust in them, 0 to 255.
        seen: 255 where the surface is seen, else 0.
        surface: what is known of it.
        symmetric: mirroring the texture mirrors the head: hidden parts may come from the other
            side.
    """
    colors = photo.astype(np.float32) / np.float32(255.0)
    fade = inner_fade(seen / np.float32(255.0))
    fade += surface.sharp * (1.0 - fade)
    share = fade * (weight / np.float32(255.0))
    skin_sure = share * surface.skin * surface.trusted
    albedo = surface.albedo * repeated(surface.lit, 3)
    lighting = fit_lighting(albedo, colors, surface.normal, skin_sure)
    light = linear_shading(surface.normal, lighting)
    limits = [
        there + surface.trusted * (here - there)
        for there, here in zip(HIDDEN_LIGHT, FACE_LIGHT, strict=True)
    ]
    ambient = np.maximum(lighting[0], 0.0) / np.float32(AMBIENT_WHITE)
    shade = _moderate(light, ambient, limits)
    brightness = _grey(shade)
    grey = repeated(brightness, 3)
    shade = grey + repeated(surface.skin, 3) * (shade - grey)
    model = to_lab(np.clip(albedo * shade, 0.0, 1.0))
    found = to_lab(colors)
    apart = change = found - model
    offset, spread = robust(change, skin_sure, SKIN_SPREAD)
    core = skin_sure * np.exp(-0.5 * (deviations(change, offset, spread) / TYPICAL) ** 2)
    local = plus(change, -offset)
    usual = plus(_nearby(local, core), offset)
    from_skin = deviations(change - usual, ZERO, spread)
    sure = share * trust_in_doubt(surface.cosine)
    hair = hair_of_scalp(found, model + usual, from_skin, sure, surface)
    likely = share * surface.skin * (1.0 - np.maximum(surface.may_be_hairy, surface.neck))
    core = np.maximum(core, likely * np.exp(-0.5 * (from_skin / GROWING) ** 2))
    usual = plus(_nearby(local, core), offset)
    from_skin = deviations(change - usual, ZERO, spread)
    doubt = from_skin + surface.neck * (_beyond_shadow(found, model + usual, spread) - from_skin)
    astray = ramp(from_skin - hair.deviations, *HAIRLIKE) * hair.sure
    foreign = np.maximum(ramp(doubt, *FOREIGN), astray)
    foreign *= (1.0 - surface.trusted) * (1.0 - surface.may_be_hairy) * surface.skin
    if hair.covered.any():
        lighter = found[..., 0] - hair.color[0]
        behind = behind_hair(surface.cosine, hair.deviations, lighter, from_skin, surface.hairy)
        foreign = np.maximum(foreign, behind * surface.skin)
    foreign = softened(grown(foreign * (fade > 0.0)))
    skin = robust(found, skin_sure, SKIN_SPREAD)[0]
    mouth = mouth_colors(found, model, share, skin, (surface.teeth, surface.tongue, surface.lips))
    fade *= (1.0 - foreign) * (1.0 - hair.astray) * mouth.own
    fade *= trust_at_angle(surface.cosine, from_skin, surface.skin)
    share = fade * (weight / np.float32(255.0))

    near = np.minimum(share, 1.0 - hair.here) * surface.skin
    doubtful = 1.0 - surface.trusted
    near *= np.exp(-0.5 * doubtful * (from_skin / TYPICAL) ** 2)
    near *= np.exp(-0.5 * surface.sharp * (from_skin / LASHES) ** 2)
    near *= 1.0 - surface.sharp * surface.skin * (1.0 - surface.lips)
    local -= repeated(doubtful, 3) * (local - limited(local, -MOST_LOCAL, MOST_LOCAL))
    change = alike(plus(faded(local, ramp(near, *CERTAIN), REACH, 1, HELD), offset), surface.back)
    change *= _of_hue(surface.skin)
    if mouth.teeth.any():
        change += repeated(mouth.teeth, 3) * plus(-change, mouth.change)
    skin_color = model + change
    lightness = np.ascontiguousarray(model[..., 0])
    lightness -= float((lightness * near).sum() / max(near.sum(), 1e-3))
    flat = np.zeros_like(lightness)
    plain = plus(_merged(np.float32(0.4) * lightness, flat, flat), hair.color)
    sure = share * trust_in_doubt(surface.cosine) * hair.here * hair.sure
    hair_change = faded(found - plain, sure, HAIR_REACH)
    hair_color = plain + alike(hair_change, surface.back)
    plausible = skin_color + repeated(hair.covered, 3) * (hair_color - skin_color)
    soft = np.minimum(1.0 - surface.sharp + surface.teeth, 1.0)
    step = limited(found - plausible, -MOST_BORDER, MOST_BORDER)
    border = faded(step, ramp(share, *CERTAIN) * soft, BORDER_REACH, 2, HELD)
    border = alike(border, surface.back) * repeated(soft, 3)
    skin_rgb, hair_rgb = to_rgb(skin_color + border), to_rgb(hair_color + border)
    mirrored, covering = np.zeros_like(share), hair.covered
    if symmetric:
        beside = np.ascontiguousarray(share[:, ::-1])
        other = model + _mirrored(apart)
        other = to_rgb(other + extended(found - other, np.minimum(share, beside)))
        mirrored = surely(beside) * ramp(away(share) / np.float32(MIRRORED * len(share)), 0.0, 1.0)
        skin_rgb += repeated(mirrored, 3) * (other - _mirrored(colors) - skin_rgb)
        covering = covering * (1.0 - mirrored)
    white = np.float32(255.0)
    fields = _merged(skin_rgb * white, mirrored, fade, covering, hair_rgb * white)
    own = _grey(_moderate(light, ambient, [np.full_like(fade, limit) for limit in SEEN_LIGHT]))
    brightness += share * (own - brightness)
    mean = float((brightness * skin_sure).sum() / max(float(skin_sure.sum()), 1e-3))
    brightness /= mean if mean > 0.0 else float(brightness.mean())
    grain = contrast(found[..., 0], near * surface.trusted, SKIN_CONTRAST)
    return Completion(fields, brightness, (grain, hair.contrast))


def to_lab(colors: Colors) -> Colors:
    """CIELAB (D65) of sRGB in [0, 1]."""
    import cv2

    return cv2.cvtColor(np.ascontiguousarray(colors, dtype=np.float32), cv2.COLOR_RGB2LAB)


def to_rgb(colors: Colors) -> Colors:
    """SRGB in [0, 1] of CIELAB."""
    import cv2

    rgb = cv2.cvtColor(np.ascontiguousarray(colors, dtype=np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(rgb, 0.0, 1.0)


def _moderate(light: Colors, ambient: Float[np.ndarray, "3"], limits: Sequence[Plane]) -> Colors:
    """The light without extremes, which are times the ambient light."""
    low, high = (_merged(*(limit * channel for channel in ambient)) for limit in limits)
    return np.minimum(np.maximum(light, low), high)


def _grey(colors: Colors) -> Plane:
    import cv2

    return cv2.transform(colors, np.full((1, 3), 1.0 / 3.0))


def _of_hue(share: Plane) -> Colors:
    """A share of hue and of none of the lightness."""
    return _merged(np.ones_like(share), share, share)


def _mirrored(colors: Colors) -> Colors:
    import cv2

    return cv2.flip(colors, 1)


def _merged(*planes: np.ndarray) -> Float[np.ndarray, "t t c"]:
    """The channels of all one after the other, float32."""
    import cv2

    return cv2.merge([np.asarray(plane, dtype=np.float32) for plane in planes])


def _nearby(change: Colors, weight: Plane) -> Colors:
    """The change without detail, as it is where it has weight, sinking away from there."""
    import cv2

    size, small = weight.shape[::-1], (min(NEARBY_SIDE, weight.shape[1]),) * 2
    weighted, known = (
        cv2.resize(plane, small, interpolation=cv2.INTER_AREA)
        for plane in (change * repeated(weight, 3), weight)
    )
    field = faded(weighted / repeated(np.maximum(known, 1e-3), 3), known, NEARBY_REACH, 1, HELD)
    return cv2.resize(cv2.GaussianBlur(field, (0, 0), 0.7), size, interpolation=cv2.INTER_LINEAR)


def _beyond_shadow(found: Colors, skin: Colors, spread: Float[np.ndarray, "3"]) -> Plane:
    """Deviations on the neck, that of a shadow counting less."""
    import cv2

    (light, a, b), (usual, usual_a, usual_b) = cv2.split(found), cv2.split(skin)
    darker = np.clip((light + 16.0) / (usual + 16.0), 0.3, 1.0)
    light -= usual
    light += (1.0 - SHADOW) * np.clip(-light, 0.0, MOST_SHADOW)
    apart = _merged(light, a - darker * usual_a, b - darker * usual_b)
    return NECK_DOUBT * deviations(apart, ZERO, spread)
