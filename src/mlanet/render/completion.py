"""What a photo does not show of a head, in the colours of what it shows.

Colours are compared in CIELAB. Whatever stands in for hidden parts is moved by a smooth field that
vanishes nowhere: at the border its colours are the photo's own, far away they are as much lighter
or redder as on average (pull-push interpolation; Gortler et al., "The Lumigraph", 1996).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.geometry import AMBIENT_WHITE, shading
from mlanet.render.light_fit import fit_lighting

Plane = Float[np.ndarray, "t t"]
Colors = Float[np.ndarray, "t t 3"]

FEATHER = 0.012
"""Standard deviation of the fade where the seen part ends, of the texture's size."""

HIDDEN_LIGHT, SEEN_LIGHT = (0.88, 1.08), (0.4, 1.6)
"""Limits of the fitted light, relative to its mean: on what is completed, and on the photo's own
where it is divided out."""

SKIN_SPREAD = (9.0, 4.0, 4.0)
"""Least standard deviations of skin's CIELAB colours around the lit albedo."""

HAIR_SPREAD = (10.0, 6.0, 6.0)
"""The same of hair around its median colour."""

MOST_SPREAD = 1.6
"""Largest standard deviations over the least ones: a face may be half in the shade."""

FOREIGN = (2.8, 4.2)
"""Deviations from skin's colour between which a texel becomes foreign."""

HAIRLIKE = (0.5, 2.0)
"""Deviations by which colours must be nearer to hair than to skin to be hair on the cheeks."""

NECK_DOUBT = 1.5
"""What deviations count more on the neck, where clothes begin."""

HAIR_APART = 2.5
"""Deviation from skin beyond which what is seen on the scalp is hair."""

HAIR_QUANTILE = 0.35
"""Share of that hair, the nearest to skin, that has no say in the hair's colour."""

MIXED = 0.35
"""Share of skin, by its hue, beyond which a texel of hair is mixed with it."""

LEAST_HUE = 8.0
"""Distance of skin's and hair's a and b from which they tell mixed texels."""

HAIR_CONTRAST = (0.05, 0.22)
"""Limits of the standard deviation of completed hair over its brightness."""

HAIR_SHARE = (0.1, 0.2)
"""Shares of the seen scalp that must be hair for the rest to have some, and to have all."""

TYPICAL = 1.5
"""Deviation from skin's or hair's colour at which it counts little for what is hidden."""

LASHES = 2.5
"""The same around eyes and mouth: lashes and lips do not colour the skin that they hide."""

MOST_LOCAL = np.array([9.0, 3.0, 3.0], dtype=np.float32)
"""Largest local CIELAB deviations that hidden skin takes from its border: no hard shadows."""

DAMPING = 0.85
"""What is left of a local deviation when the distance to it doubles."""

HAIR_DAMPING = 0.9
"""The same of hair, whose colour varies more."""

SAMPLES = 2000
"""Texels whose medians stand for all."""

LEAST_SCALP = 0.004
"""Share of the texture that must show the scalp for its colour to be known."""


@dataclass(frozen=True, slots=True)
class SurfacePlanes:
    """The surface in UV at coarse size: shares of `TextureGuide` and what is known of it."""

    albedo: Colors
    normal: Colors
    skin: Plane
    trusted: Plane
    hairy: Plane
    may_be_hairy: Plane
    neck: Plane
    sharp: Plane
    back: Plane


@dataclass(frozen=True, slots=True)
class Completion:
    """How the texture is put together.

    Attributes:
        fields: what completes the photo (3, 0 to 255), share of the mirrored photo that is added
            to it, the share of the photo's weight that remains, and standard deviation of strands
            of hair over the brightness.
        shade: brightness of the light on the surface over its mean on the seen skin.
    """

    fields: Float[np.ndarray, "t t 6"]
    shade: Plane


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
    fade = _inner_fade(seen / np.float32(255.0))
    fade += surface.sharp * (1.0 - fade)
    share = fade * (weight / np.float32(255.0))
    lighting = fit_lighting(
        surface.albedo, colors, surface.normal, share * surface.skin * surface.trusted
    )
    light = shading(surface.normal, lighting.astype(np.float32))
    shade = _moderate(light, lighting, surface.skin, HIDDEN_LIGHT)
    model = to_lab(np.clip(surface.albedo * shade, 0.0, 1.0))
    found = to_lab(colors)
    change = found - model
    skin_sure = share * surface.skin * surface.trusted
    offset, spread = _robust(change, skin_sure, SKIN_SPREAD)
    from_skin = _deviations(change, offset, spread)
    hair = _hair(found, from_skin, share, surface)
    doubt = from_skin * (1.0 + (NECK_DOUBT - 1.0) * surface.neck)
    astray = _ramp(from_skin - hair.deviations, *HAIRLIKE)
    foreign = np.maximum(_ramp(doubt, *FOREIGN), astray)
    foreign *= (1.0 - surface.trusted) * (1.0 - surface.may_be_hairy) * surface.skin
    foreign = _soften(_grown(foreign * (fade > 0.0)))
    fade *= 1.0 - foreign
    share = fade * (weight / np.float32(255.0))

    near = np.minimum(share, 1.0 - hair.here) * surface.skin
    doubtful = 1.0 - surface.trusted
    near *= np.exp(-0.5 * doubtful * (from_skin / TYPICAL) ** 2)
    near *= np.exp(-0.5 * surface.sharp * (from_skin / LASHES) ** 2)
    local = change - offset
    local -= doubtful[..., None] * (local - np.clip(local, -MOST_LOCAL, MOST_LOCAL))
    change = _alike(extended(local, near) + offset, surface.back)
    change[..., 1:] *= surface.skin[..., None]
    skin_color = model + change
    lightness = model[..., :1] - float((model[..., 0] * near).sum() / max(near.sum(), 1e-3))
    plain = np.concatenate([0.4 * lightness, np.zeros_like(model[..., 1:])], axis=-1) + hair.color
    sure = share * hair.here * np.exp(-0.5 * (hair.deviations / TYPICAL) ** 2)
    hair_change = extended(found - plain, sure, HAIR_DAMPING)
    hair_color = plain + _alike(hair_change, surface.back)
    covered = hair.covered[..., None]
    rest = to_rgb(skin_color + covered * (hair_color - skin_color))
    mirrored = np.zeros_like(share)
    if symmetric:
        other = found[:, ::-1] + model - model[:, ::-1]
        both = np.minimum(share, share[:, ::-1])
        other = to_rgb(other + extended(found - other, both))
        mirrored = np.clip(2.0 * share[:, ::-1] - 1.0, 0.0, 1.0)
        rest = rest + mirrored[..., None] * (other - colors[:, ::-1] - rest)
    strands = hair.contrast * hair.covered
    fields = np.concatenate([rest * 255.0, np.stack([mirrored, fade, strands], -1)], axis=-1)
    brightness = _grey(shade)
    own = _grey(_moderate(light, lighting, surface.skin, SEEN_LIGHT))
    brightness += share * (own - brightness)
    middle = float((brightness * skin_sure).sum() / max(float(skin_sure.sum()), 1e-3))
    brightness /= middle if middle > 0.0 else float(brightness.mean())
    return Completion(np.ascontiguousarray(fields, dtype=np.float32), brightness)


@dataclass(frozen=True, slots=True)
class _Hair:
    """Deviations from hair's colour, its colour, how far a texel is hair here and everywhere.

    `contrast` is the standard deviation of its brightness over that.
    """

    deviations: Plane
    color: Float[np.ndarray, "3"]
    here: Plane
    covered: Plane
    contrast: float


def _hair(found: Colors, from_skin: Plane, share: Plane, surface: SurfacePlanes) -> _Hair:
    """Hair is what is seen on the scalp, if it is not of skin's colour."""
    scalp = share * surface.hairy
    nothing = np.zeros_like(share)
    far = np.full_like(share, 1e3)
    if scalp.sum() < LEAST_SCALP * scalp.size:
        return _Hair(far, np.zeros(3, np.float32), nothing, nothing, 0.0)
    order = scalp > 0.3 * float(scalp.max())
    apart = order & (from_skin > HAIR_APART)
    has_hair = float(_ramp(apart.sum() / order.sum(), *HAIR_SHARE))
    if has_hair <= 0.0:
        return _Hair(far, np.zeros(3, np.float32), nothing, nothing, 0.0)
    far_from_skin = apart & (from_skin >= np.quantile(from_skin[apart], HAIR_QUANTILE))
    color, spread = _robust(found, scalp * far_from_skin, HAIR_SPREAD)
    skin, _ = _robust(found, share * surface.skin * surface.trusted, SKIN_SPREAD)
    towards = skin[1:] - color[1:]
    if float(towards @ towards) > LEAST_HUE**2:  # light hair is near to skin without being mixed
        mixed = (found[..., 1:] - color[1:]) @ towards / float(towards @ towards)
        pure = scalp * (apart & (mixed < MIXED))
        color = _robust(found, pure, HAIR_SPREAD)[0] if pure.any() else color
    deviations = _deviations(found, color, spread)
    possible = surface.may_be_hairy
    likely = 1.0 / (1.0 + np.exp(np.clip(deviations - from_skin, -20.0, 20.0)))
    here = _soften(likely * possible) * possible
    prior = surface.hairy * has_hair
    change = extended((here - prior)[..., None], share * (surface.skin > 0.5))[..., 0]
    reach = np.maximum(possible, prior)
    covered = np.clip(prior + change * reach, 0.0, 1.0)
    return _Hair(deviations, color, here, covered, _contrast(found[..., 0], share * here))


def _contrast(lightness: Plane, weight: Plane) -> float:
    """Standard deviation of the brightness over its mean, of what varies from texel to texel."""
    import cv2

    known = np.maximum(cv2.blur(weight, (5, 5)), 1e-3)
    apart = lightness - cv2.blur(lightness * weight, (5, 5)) / known
    total = max(float(weight.sum()), 1e-3)
    spread = np.sqrt(float((weight * apart * apart).sum()) / total)
    mean = float((weight * lightness).sum()) / total
    return float(np.clip(spread / max(mean, 5.0), *HAIR_CONTRAST))


def to_lab(colors: Colors) -> Colors:
    """CIELAB (D65) of sRGB in [0, 1]."""
    import cv2

    return cv2.cvtColor(np.ascontiguousarray(colors, dtype=np.float32), cv2.COLOR_RGB2LAB)


def to_rgb(colors: Colors) -> Colors:
    """SRGB in [0, 1] of CIELAB."""
    import cv2

    rgb = cv2.cvtColor(np.ascontiguousarray(colors, dtype=np.float32), cv2.COLOR_LAB2RGB)
    return np.clip(rgb, 0.0, 1.0)


def _moderate(
    factor: Colors,
    lighting: Float[np.ndarray, "9 3"],
    skin: Plane,
    limits: tuple[float, float],
) -> Colors:
    """The light without extremes; on what is not skin only its brightness."""
    ambient = np.maximum(lighting[0], 0.0) / np.float32(AMBIENT_WHITE)
    factor = np.minimum(np.maximum(factor, limits[0] * ambient), limits[1] * ambient)
    grey = _grey(factor)[..., None]
    return grey + skin[..., None] * (factor - grey)


def _grey(colors: Colors) -> Plane:
    return (colors[..., 0] + colors[..., 1] + colors[..., 2]) / np.float32(3.0)


def _robust(
    values: Colors, weight: Plane, least: tuple[float, float, float]
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Median and spread of what has weight."""
    used = np.flatnonzero(weight > 0.5)
    used = used if len(used) else np.flatnonzero(weight > 0.0)
    if not len(used):
        return np.zeros(3, np.float32), np.array(least, np.float32)
    known = values.reshape(-1, 3)[used[:: max(1, len(used) // SAMPLES)]]
    middle = np.median(known, axis=0).astype(np.float32)
    spread = 1.4826 * np.median(np.abs(known - middle), axis=0)
    floor = np.array(least, np.float32)
    return middle, np.clip(spread, floor, MOST_SPREAD * floor).astype(np.float32)


def _deviations(
    values: Colors, middle: Float[np.ndarray, "3"], spread: Float[np.ndarray, "3"]
) -> Plane:
    scaled = (values - middle) / spread
    return np.sqrt(np.einsum("ijk,ijk->ij", scaled, scaled))


def extended(
    values: Float[np.ndarray, "t t c"], weight: Plane, damping: float = DAMPING
) -> Float[np.ndarray, "t t c"]:
    """Values as they are where they have weight, elsewhere smoothly continued towards zero."""
    import cv2

    levels: list[np.ndarray] = []
    level = np.concatenate([values * weight[..., None], weight[..., None]], axis=-1)
    while True:
        levels.append(level)
        side = len(level)
        if side <= 2:
            break
        half = (side + 1) // 2
        level = cv2.resize(level, (half, half), interpolation=cv2.INTER_AREA)
    total = levels[-1].sum(axis=(0, 1))
    mean = total[:-1] / max(float(total[-1]), 1e-6)
    result = np.broadcast_to(mean, (*levels[-1].shape[:2], len(mean))).astype(np.float32)
    for level in reversed(levels):
        side = len(level)
        wide = cv2.resize(result, (side, side), interpolation=cv2.INTER_LINEAR)
        wide = np.float32(damping) * wide.reshape(side, side, -1)
        known = np.minimum(level[..., -1:], 1.0)
        own = level[..., :-1] / np.maximum(level[..., -1:], 1e-6)
        result = wide + known * (own - wide)
    return result


def _alike(values: Colors, back: Plane) -> Colors:
    """Left and right of one value where they meet at the back."""
    return values + 0.5 * back[..., None] * (values[:, ::-1] - values)


def _ramp(values: Any, start: float, end: float) -> Any:
    share = np.clip((values - start) / (end - start), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def _grown(plane: Plane) -> Plane:
    """The largest value around: outlines of what is foreign are blurred."""
    import cv2

    return cv2.dilate(plane, np.ones((5, 5), np.uint8))


def _soften(plane: Plane) -> Plane:
    """Without single texels: opened and blurred."""
    import cv2

    return cv2.GaussianBlur(cv2.medianBlur(plane.astype(np.float32), 5), (0, 0), 1.2)


def _inner_fade(mask: Plane) -> Plane:
    """Zero up to the mask's border, then rising to one inside."""
    import cv2

    blurred = cv2.GaussianBlur(mask, (0, 0), FEATHER * len(mask), borderType=cv2.BORDER_REPLICATE)
    return np.clip(2.0 * blurred - 1.0, 0.0, 1.0)
