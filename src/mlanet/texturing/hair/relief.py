"""How far hair stands off the head that the face model has, from the photo's outline of it.

Along rays from the middle of the head, its outline beyond the mesh's is the thickness of
the hair where the ray leaves the head; elsewhere on the scalp it is continued smoothly.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from mlanet.morphable import MorphableModel
from mlanet.render.heads import PosedHead
from mlanet.texturing.guide import TextureGuide, above_hairline
from mlanet.texturing.hair.figure import SIDE, WINDOW_MM, HeadFigure, picture_axes
from mlanet.texturing.hair.strands import CENTRE_MM, locks_at
from mlanet.texturing.smooth_fields import ramp

ANGLES = np.radians(np.arange(-120.0, 121.0, 4.0))
"""Directions in the picture in which the outline is measured; 0 is up, along the head."""

STEP_MM, MOST_RADIUS_MM = 1.0, 190.0
"""Along the rays."""

LEAST_MM, MOST_MM = 2.0, 60.0
"""Thickness that is not hair yet, and beyond which it is taken for something behind the head."""

LOPSIDED_MM = 14.0
"""By how much more one side may stand off than the other."""

EDGE_MM, LEAST_EDGE = 5.0, 9.0
"""How far on both sides of an outline colours are compared, and their least difference in CIELAB:
otherwise hair cannot be told from what is behind it."""

FEWEST = 8
"""Directions that must be known."""

NARROW, BROAD, BROAD_SHARE = 12.0, 3.0, 0.02
"""Concentrations of the two von Mises-Fisher kernels on the ball of directions that continue the
outline, and the weight of the second, which tells where nothing near is known."""

HAIRY = 0.35, 0.95
"""Shares of hair between which skin begins to be moved: what is mixed with skin stays, or its
stripes would be stretched."""

TAPER, NAPE_TAPER = 2.0, 2.6
"""Over so many times its thickness hair rises from the hairline, and from the nape."""

BELOW_MM = 3.0
"""How far below the hairline it begins to."""

EARLY = 0.4
"""How much of that it needs for most of its thickness; 1 is even."""

LOCKS = ((22, 3, 0.06), (44, 4, 0.04))
"""Cells of locks around the crown and from it down to the neck, and the shares of the thickness
that they stand out."""

MOST_OUT_MM = 0.8
"""The most that a deviation of them is."""

HAIRLINE, WAVES = ((16, 2, 1.0), (40, 2, 0.7)), (0.0, 0.24)
"""The same of the hairline's waves, and the least and most of them, as shares of the width over
which hair rises."""

NAPE_MM = (-15.0, -70.0)
"""Distances before the ears' axis between which the nape begins."""


def hair_offsets(
    image: UInt8[np.ndarray, "h w 3"], head: PosedHead, figure: HeadFigure | None = None
) -> Float[np.ndarray, "v 3"]:
    """How far hair stands off the vertices of a head, in the model frame, mm.

    Zero where no hair grows; all zero of bald heads, where the photo does not show the outline of
    the scalp, and of face models without regions.

    Args:
        image: the photo.
        head: where it shows the head, without hair.
        figure: the person there, if that is known already.
    """
    offsets = np.zeros_like(head.vertices, dtype=np.float32)
    guide = TextureGuide.of_model(head.model)
    if not guide.hairy.any():
        return offsets
    figure = figure or HeadFigure.of_photo(image, head)
    if figure is None:
        return offsets
    thickness, known = _thickness(figure, head)
    if known.sum() < FEWEST:
        return offsets
    rays = np.column_stack([_rays(head), np.zeros(len(ANGLES))]) @ head.pose.rotation
    scalp = np.flatnonzero(guide.hairy > 0.0)
    away = head.vertices[scalp] - np.array(CENTRE_MM)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    apart = 1.0 - away @ rays.T
    kernel = (np.exp(-NARROW * apart) + BROAD_SHARE * np.exp(-BROAD * apart)) * known
    stands_off = kernel @ thickness / kernel.sum(axis=1)
    above, nape, locks, waves = (plane[scalp] for plane in _places(head.model))
    rise = 1.0 + (TAPER + nape * (NAPE_TAPER - TAPER)) * stands_off
    stands_off += locks * np.minimum(stands_off, MOST_OUT_MM / LOCKS[0][2])
    stands_off *= ramp(guide.hairy[scalp], *HAIRY) * _risen((above + BELOW_MM) / rise + waves)
    offsets[scalp] = stands_off[:, None] * away
    return offsets


@lru_cache(maxsize=4)
def _places(model: MorphableModel) -> tuple[Float[np.ndarray, "v"], ...]:
    """What is the same on all heads.

    Of vertices: heights above the hairline in mm, how far they belong to the nape's side, how far
    locks stand out, and what the hairline's waves add.
    """
    mean = model.subdivide(model.shape.mean)
    on_ball = mean - np.array(CENTRE_MM)
    nape = ramp(mean[:, 2], *NAPE_MM)
    waves = sum(WAVES) / 2.0 + np.ptp(WAVES) / 2.0 * np.tanh(locks_at(on_ball, HAIRLINE, 8))
    waves *= 1.0 - nape
    locks = locks_at(on_ball, LOCKS, 7)
    locks -= locks[TextureGuide.of_model(model).hairy > HAIRY[1]].mean()
    return above_hairline(mean), nape, locks, waves


def _risen(share: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """A smooth start, soon most of the height, and a long rounded end."""
    share = np.clip(share, 0.0, 1.0)
    return share**2 / (share**2 + EARLY * (1.0 - share) ** 2)


def _rays(head: PosedHead) -> Float[np.ndarray, "a 2"]:
    """Unit vectors in the picture at `ANGLES`."""
    up, right = picture_axes(head)
    return np.cos(ANGLES)[:, None] * up + np.sin(ANGLES)[:, None] * right


def _thickness(
    figure: HeadFigure, head: PosedHead
) -> tuple[Float[np.ndarray, "a"], Bool[np.ndarray, "a"]]:
    """Thickness of hair in mm by angle, and where it is known."""
    import cv2

    px_per_mm = SIDE / WINDOW_MM
    own, picture = figure.own, figure.picture
    radii = np.arange(0.0, MOST_RADIUS_MM, STEP_MM)
    x, y = np.moveaxis(SIDE / 2.0 + px_per_mm * radii[None, :, None] * _rays(head)[:, None], -1, 0)
    x, y = x.astype(np.float32), y.astype(np.float32)
    along = [
        cv2.remap(plane.astype(np.uint8), x, y, cv2.INTER_NEAREST) > 0
        for plane in (own, figure.mask | own, figure.inside)
    ]
    steps = len(radii)
    skull = steps - 1 - np.argmax(along[0][:, ::-1], axis=1)
    beyond = ~along[1] & (np.arange(steps) > skull[:, None])
    outline = np.where(beyond.any(axis=1), np.argmax(beyond, axis=1), steps)
    cut_off = ~along[2] & (np.arange(steps) <= outline[:, None])
    thickness = (outline - skull - 1) * STEP_MM
    known = along[0].any(axis=1) & ~cut_off.any(axis=1) & (thickness < MOST_MM)
    known &= _edges(picture, x, y, outline) > LEAST_EDGE
    known &= _scalp_outline(head, figure.middle_px, radii[skull] / head.mm_per_px)
    return _steadied(thickness, known)


def _edges(
    picture: UInt8[np.ndarray, "s s 3"],
    x: Float[np.ndarray, "a r"],
    y: Float[np.ndarray, "a r"],
    outline: Int[np.ndarray, "a"],
) -> Float[np.ndarray, "a"]:
    """Difference of the colours within and beyond an outline along rays, in CIELAB."""
    import cv2

    lab = cv2.cvtColor(picture.astype(np.float32) / np.float32(255.0), cv2.COLOR_RGB2LAB)
    along = cv2.remap(lab, x, y, cv2.INTER_LINEAR)
    steps, width = np.arange(x.shape[1]), EDGE_MM / STEP_MM
    apart = steps - outline[:, None]
    means = [
        (along * near[..., None]).sum(axis=1) / np.maximum(near.sum(axis=1), 1)[:, None]
        for near in ((-width <= apart) & (apart < 0.0), (apart > 0.0) & (apart <= width))
    ]
    return np.linalg.norm(means[1] - means[0], axis=1)


def _scalp_outline(
    head: PosedHead, middle: Float[np.ndarray, "2"], skull_px: Float[np.ndarray, "a"]
) -> Bool[np.ndarray, "a"]:
    """At which angles the outline of the head is scalp, and neither face nor ear."""
    up, right = picture_axes(head)
    hairy = head.projected[TextureGuide.of_model(head.model).hairy > 0.5, :2] - middle
    angle = np.arctan2(hairy @ right, hairy @ up)
    nearest = np.rint((angle - ANGLES[0]) / (ANGLES[1] - ANGLES[0])).astype(int)
    among = (nearest >= 0) & (nearest < len(ANGLES))
    farthest = np.zeros(len(ANGLES))
    np.maximum.at(farthest, nearest[among], np.linalg.norm(hairy[among], axis=1))
    return farthest > skull_px - 6.0 * STEP_MM / head.mm_per_px


def _steadied(
    thickness: Float[np.ndarray, "a"], known: Bool[np.ndarray, "a"]
) -> tuple[Float[np.ndarray, "a"], Bool[np.ndarray, "a"]]:
    """Without single strands and what leans against the head on one side."""
    padded = np.pad(np.where(known, thickness, np.nan), 2, constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 5)
    known = np.isfinite(around).sum(axis=1) >= 2
    middle = np.zeros(len(thickness))
    middle[known] = np.nanmedian(around[known], axis=1)
    both = known & known[::-1]
    middle[both] = np.minimum(middle, middle[::-1] + LOPSIDED_MM)[both]
    return np.maximum(middle - LEAST_MM, 0.0), known
