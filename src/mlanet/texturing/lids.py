"""Lids in the texture: skin without what an open eye's lashes paint on it, a crease, a lash line.

A mesh's lids never fit the photo's to the pixel: the line of lashes lies on what is skin, the white
of the eye on the lower lid. Around an open eye that is hardly seen; a blink stretches it over the
whole lid. So lids take the colour of the skin around them, and of the photo only what differs
little from that.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.texturing.smooth_fields import Plane, extended, faded, limited, middle, ramp, repeated

SIDE = 48
"""Texels across at which the colour of the skin around an eye is continued over its lids."""

LEAST_AROUND = 4.0
"""Texels of that size that must show skin around an eye."""

ASTRAY = 9.0
"""Deviation from the median of that skin (CIELAB) at which a texel counts little."""

DARKER_COUNTS = 1.6
"""What its being darker counts more: lashes, shadows, brows and hair are near."""

KEPT_DARKER = np.array([10.0, 6.0, 6.0], dtype=np.float32)
KEPT_LIGHTER = np.array([13.0, 7.0, 7.0], dtype=np.float32)
"""CIELAB differences from the skin around them that lids keep of the photo."""

CARRIED_DARKER = np.array([9.0, 2.5, 2.5], dtype=np.float32)
"""The same of what a blink unfolds: lashes, and the white of the eye, are greyer than skin."""

REACH = 0.08
"""How far that fades into what the photo does not show, of the eye's part of the texture."""

LASHES = np.array([0.24, 0.20, 0.19], dtype=np.float32)
"""What is left of the colour of skin under lashes that stand close."""


@dataclass(frozen=True, slots=True)
class LidPlanes:
    """An eye's part of the texture; shares, 0 to 1.

    Attributes:
        rows: of the texture.
        columns: of the texture.
        lid: what is lid, or its rim.
        around: skin around it, which tells its colour.
        tint: what is left of that colour in the shade of the crease, and on the rims.
        lashes: where lashes grow.
    """

    rows: slice
    columns: slice
    lid: Plane
    around: Plane
    tint: Float[np.ndarray, "h w 3"]
    lashes: Plane


def finish_lids(
    image: UInt8[np.ndarray, "s s 3"],
    visibility: Float[np.ndarray, "s s"],
    planes: LidPlanes,
    folded: float,
) -> None:
    """Draw the lids of an eye into a texture, in place.

    Args:
        image: the texture.
        visibility: how far texels are the photo's own.
        planes: of the eye.
        folded: share, 0 to 1, of the lids that the photo does not show; with 0, what is seen stays.
    """
    import cv2

    place = planes.rows, planes.columns
    colors = image[place].astype(np.float32) * np.float32(1.0 / 255.0)
    lab = cv2.cvtColor(colors, cv2.COLOR_RGB2LAB)
    around = _around(lab, planes.around * (0.1 + visibility[place]))
    if around is None:
        return
    carried = _carried(lab - around, visibility[place])
    used = np.flatnonzero((planes.lid > 0.0) | (planes.lashes > 0.0))
    own, around, tint, carried = (
        plane.reshape(1, -1, 3).take(used, axis=1) for plane in (lab, around, planes.tint, carried)
    )
    lid, lashes, seen = (
        plane.reshape(1, -1)[:, used] for plane in (planes.lid, planes.lashes, visibility[place])
    )
    skin = cv2.cvtColor(cv2.cvtColor(around, cv2.COLOR_LAB2RGB) * tint, cv2.COLOR_RGB2LAB)
    kept = limited(own - skin, -KEPT_DARKER, KEPT_LIGHTER) - carried
    clean = skin + carried + repeated(seen, 3) * kept
    mended = 1.0 - seen * np.float32(1.0 - folded)
    own += repeated(mended * lid, 3) * (clean - own)
    drawn = cv2.cvtColor(own, cv2.COLOR_LAB2RGB)
    taken = np.float32(folded) * lashes
    drawn *= cv2.merge([1.0 - taken * share for share in 1.0 - LASHES])
    finished = image[place].reshape(-1, 3)
    finished[used] = np.rint(np.clip(drawn[0], 0.0, 1.0) * np.float32(255.0))
    image[place] = finished.reshape(lab.shape)


def _carried(apart: Float[np.ndarray, "h w 3"], seen: Plane) -> Float[np.ndarray, "h w 3"]:
    """What lids keep of the photo where it shows them, fading into what it does not show.

    Without it, what a blink unfolds would be a patch of one colour in a ring of another.
    """
    import cv2

    apart, weight = (
        cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for plane in (apart * repeated(seen, 3), seen)
    )
    apart /= repeated(np.maximum(weight, 1e-3), 3)
    kept = limited(apart, -CARRIED_DARKER, KEPT_LIGHTER)
    foreign = cv2.transform((apart - kept) ** 2, np.ones((1, 3), np.float32))
    weight *= np.exp(foreign * np.float32(-0.5 / ASTRAY**2))
    smooth = cv2.GaussianBlur(faded(kept, weight, REACH), (0, 0), 1.0)
    return cv2.resize(smooth, seen.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _around(own: Float[np.ndarray, "h w 3"], weight: Plane) -> Float[np.ndarray, "h w 3"] | None:
    """The colour of the skin around the lids, CIELAB, continued over them."""
    import cv2

    weighted, known = (
        cv2.resize(plane.astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for plane in (own * repeated(weight, 3), weight)
    )
    if known.sum() < LEAST_AROUND:
        return None
    colors = weighted / repeated(np.maximum(known, 1e-3), 3)
    usual = middle(colors[known > 0.3 * known.max()])
    apart = colors - usual
    apart[..., 0] *= np.where(apart[..., 0] < 0.0, DARKER_COUNTS, 1.0)
    apart = np.linalg.norm(apart, axis=-1)
    known *= np.exp(-0.5 * (apart / ASTRAY) ** 2) * ramp(known, 0.0, 0.2)
    smooth = cv2.GaussianBlur(extended(colors, np.minimum(known, 1.0)), (0, 0), 2.0)
    return cv2.resize(smooth, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
