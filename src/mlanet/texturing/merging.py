"""Several photos of one surface in UV become one: in the first one's light, without seams."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.image.srgb import linear_from_srgb, srgb_from_linear
from mlanet.texturing.eyes import EyeIsland
from mlanet.texturing.photo_texels import PhotoTexels
from mlanet.texturing.smooth_fields import Plane, extended
from mlanet.texturing.surface_planes import SurfacePlanes

SHARPNESS = 4.0
"""Power of a photo's quality: a texel is nearly one photo's alone; nothing is seen twice."""

FIRST = 1.3
"""The first photo's quality counts this much more: fewer borders."""

BLEND = 0.02
"""Standard deviation of the transition between two photos, of the texture's size."""

LEAST_DETAIL = 0.2
"""A photo without detail still counts this much."""

DETAIL_TEXELS = (1.0, 3.0)
"""Standard deviations of the blurs between which detail lies."""

COMMON = 0.3
"""Share of trust beyond which a texel tells how two photos' colours differ."""

LEAST_COMMON = 20
"""Fewer such texels tell nothing."""

GAIN = (0.2, 5.0)
"""Limits of a photo's gain."""

RELIT = (0.6, 1.6)
"""Limits of the change of brightness from one photo's light to another's."""

LIGHT_SIDE = 40
"""Texels across of the field that moves a photo's colours to those of the others."""

MOST_CHANGE = 60.0
"""Of that field, of 255: what differs more is no light."""

INSIDE = 0.5
"""Share of what is not skin from which a texel is of an eye or of the mouth."""


@dataclass(frozen=True, slots=True, eq=False)
class PhotoInUv:
    """One photo's texels.

    Attributes:
        fine: at the texture's size.
        coarse: at the size of completion.
        fade: share of the weight that remains, at the coarse size (`Completion`).
        shade: brightness of the photo's light on the surface, likewise.
    """

    fine: PhotoTexels
    coarse: PhotoTexels
    fade: Plane
    shade: Plane

    @property
    def share(self) -> Plane:
        """Trust in each coarse texel, in [0, 1]."""
        return self.fade * (self.coarse.weight / np.float32(255.0))


def merged_texels(
    photos: Sequence[PhotoInUv], surface: SurfacePlanes, eyes: Sequence[EyeIsland]
) -> tuple[PhotoTexels, PhotoTexels]:
    """One photo's texels of all, fine and coarse, in the first photo's colours.

    Each further photo gets one gain a channel, in linear light, by the texels that it has in common
    with those before it, the first one's fitted light instead of its own, and then a smooth change
    that leaves no step. Where several photos show a texel, the one that sees it best counts nearly
    alone; eyes, and the inside of the mouth, are one photo's each.
    """
    weights = _weights(photos, surface, eyes)
    first = photos[0]
    coarse = [first.coarse.colors.astype(np.float32)]
    fine: list[tuple[np.ndarray, np.ndarray | None]] = [(first.fine.colors, None)]
    for number, photo in enumerate(photos[1:], 1):
        known = _mixed(coarse, weights[:number])
        certain = np.maximum.reduce([each.share for each in photos[:number]])
        both = np.minimum(certain, photo.share) * surface.skin
        table = _gain_table(known, photo.coarse.colors, both)
        light = np.clip(first.shade / np.maximum(photo.shade, 1e-3), *RELIT)[..., None]
        own = light * table[photo.coarse.colors, np.arange(3)].astype(np.float32)
        change = _smooth_change(known - own, both)
        coarse.append((own + change).astype(np.float32))
        moved = np.concatenate([change, light], axis=-1)
        fine.append((table[photo.fine.colors, np.arange(3)], moved))
    trust = [photo.share for photo in photos]
    middle = PhotoTexels(
        _bytes(_mixed(coarse, weights)),
        _bytes(255.0 * np.maximum.reduce(trust)),
        np.maximum.reduce([photo.coarse.seen for photo in photos]),
    )
    return _whole(photos, fine, weights), middle


def _weights(
    photos: Sequence[PhotoInUv], surface: SurfacePlanes, eyes: Sequence[EyeIsland]
) -> Float[np.ndarray, "p t t"]:
    """How much of each coarse texel is each photo's; they add up to one where one is trusted."""
    import cv2

    detail = np.array([_detail(photo, surface) for photo in photos], np.float32)
    detail = np.maximum(detail / max(float(detail.max()), 1e-6), np.float32(LEAST_DETAIL))
    detail[0] *= FIRST
    shares = np.stack([photo.share for photo in photos])
    power = (shares * detail[:, None, None]) ** np.float32(SHARPNESS)
    power /= np.maximum(power.sum(axis=0), 1e-9)
    sigma = BLEND * shares.shape[-1]
    smooth = np.stack([np.asarray(cv2.GaussianBlur(each, (0, 0), sigma)) for each in power])
    smooth *= np.minimum(1.0, 2.0 * shares)
    for mask in _groups(surface, eyes):
        best = int(np.argmax((shares * mask).sum(axis=(1, 2)) * detail))
        one = np.zeros(len(photos), np.float32)
        one[best] = 1.0
        smooth += mask * (one[:, None, None] - smooth)
    return smooth / np.maximum(smooth.sum(axis=0), 1e-6)


def _groups(surface: SurfacePlanes, eyes: Sequence[EyeIsland]) -> list[Plane]:
    """Parts of the texture that one photo alone shall show: the eyes; teeth and tongue."""
    size, inner = len(surface.skin), 1.0 - surface.skin
    of_eyes = np.zeros_like(inner)
    for island in eyes:
        of_eyes[island.window(size)] = 1.0
    return [of_eyes * (inner > INSIDE), (1.0 - of_eyes) * (inner > INSIDE)]


def _detail(photo: PhotoInUv, surface: SurfacePlanes) -> float:
    """Root mean square of what varies from texel to texel in the middle of the face."""
    import cv2

    grey = photo.fine.colors.mean(axis=2, dtype=np.float32)
    near, far = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in DETAIL_TEXELS)
    weight = photo.share * surface.trusted * surface.skin
    weight = cv2.resize(weight, grey.shape[::-1], interpolation=cv2.INTER_LINEAR)
    total = float(weight.sum())
    return float(np.sqrt((weight * (near - far) ** 2).sum() / total)) if total > 0.0 else 0.0


def _gain_table(
    known: Float[np.ndarray, "t t 3"], colors: UInt8[np.ndarray, "t t 3"], both: Plane
) -> UInt8[np.ndarray, "256 3"]:
    """What becomes of each value of each channel: the median ratio in linear light."""
    values = np.arange(256, dtype=np.float32) / np.float32(255.0)
    used = both > COMMON
    gain = np.ones(3)
    if used.sum() >= LEAST_COMMON:
        here, there = (
            linear_from_srgb(np.clip(plane[used], 1.0, 254.0) / 255.0)
            for plane in (colors.astype(np.float64), known.astype(np.float64))
        )
        gain = np.exp(np.median(np.log(there / here), axis=0)).clip(*GAIN)
    return _bytes(255.0 * srgb_from_linear(linear_from_srgb(values)[:, None] * gain))


def _smooth_change(difference: Float[np.ndarray, "t t 3"], both: Plane) -> np.ndarray:
    """The difference where both are seen, without its detail, smoothly continued elsewhere."""
    import cv2

    size = both.shape[::-1]
    small = (min(LIGHT_SIDE, size[0]),) * 2
    weighted = np.clip(difference, -MOST_CHANGE, MOST_CHANGE) * both[..., None]
    weighted, weight = (
        cv2.resize(plane.astype(np.float32), small, interpolation=cv2.INTER_AREA)
        for plane in (weighted, both)
    )
    field = extended(weighted / np.maximum(weight, 1e-6)[..., None], weight)
    field = cv2.GaussianBlur(field, (0, 0), 1.0)
    return cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)


def _mixed(
    colors: Sequence[Float[np.ndarray, "t t 3"]], weights: Float[np.ndarray, "p t t"]
) -> Float[np.ndarray, "t t 3"]:
    total = np.maximum(weights.sum(axis=0), 1e-6)
    return np.sum(
        [(each / total)[..., None] * own for own, each in zip(colors, weights, strict=True)], axis=0
    ).astype(np.float32)


def _whole(
    photos: Sequence[PhotoInUv],
    fine: Sequence[tuple[UInt8[np.ndarray, "s s 3"], np.ndarray | None]],
    weights: Float[np.ndarray, "p t t"],
) -> PhotoTexels:
    """The fine texels, photo by photo: they are large."""
    import cv2

    size = (len(photos[0].fine.weight),) * 2

    def wide(plane: np.ndarray) -> np.ndarray:
        return cv2.resize(plane, size, interpolation=cv2.INTER_LINEAR)

    colors = np.zeros((*size, 3), np.float32)
    total, trust = np.zeros(size, np.float32), np.zeros(size, np.float32)
    seen = np.zeros(size, np.uint8)
    for photo, (own, change), weight in zip(photos, fine, weights, strict=True):
        here = wide(weight) * (photo.fine.weight > 0) + np.float32(1e-4) * (photo.fine.seen > 0)
        moved = own.astype(np.float32)
        if change is not None:
            field = wide(change)
            moved = moved * field[..., 3:] + field[..., :3]
        colors += here[..., None] * moved
        total += here
        np.maximum(trust, wide(photo.fade) * photo.fine.weight, out=trust)
        np.maximum(seen, photo.fine.seen, out=seen)
    colors /= np.maximum(total, 1e-9)[..., None]
    return PhotoTexels(_bytes(colors), _bytes(trust), seen)


def _bytes(values: np.ndarray) -> UInt8[np.ndarray, "*s"]:
    return np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)
