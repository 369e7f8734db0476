"""Whether hair falls below the ears, how far, and how wide it is there, in a photo."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.render.heads import PosedHead
from mlanet.texturing.hair.in_photo import COLUMNS, MM_PER_PX, HairInPhoto, across_of, heights_mm

JAW_MM = -60.0, -15.0
"""Heights over the model's origin, between the lobes of the ears and the chin, where long hair is
seen beside the head."""

ENOUGH, ROWS_SEEN = 0.6, 8
"""Share of the rows there that must have hair, and the fewest that the photo must show."""

LEAST_MM = 15.0
"""Its least width, of which `OUTSIDE_MM` are beside the mesh."""

OUTSIDE_MM, INSIDE_MM = 6.0, 24.0

FALLS_MM, CLEARLY, CLEARLY_MM = -95.0, 0.85, 20.0
"""Height down to which hair is followed, the share of the rows, and its median width outside the
mesh, where one side alone tells that hair is long: it may all lie there."""

GAP_MM = 18.0
"""Most that may lie between it and the mesh."""

WIDEST_MM, WIDE_ROWS = 90.0, 0.25
"""Distance from the mesh that hair does not exceed, but at this share of the rows; what does is
something behind the head."""

BESIDE_MM = 45.0
"""Width of the zone beside the mesh that tells that there is no hair."""

NOT_HAIR, SHORT = -1.5, 0.5
"""Odds of what is certainly not hair, and the share of it in the zone where hair is short."""

TURNED_SINE, PROFILE_COSINE = 0.42, 0.4
"""Of the turn beyond which the side that faces the camera must tell, clearly or as the other one
does, and of that beyond which nothing does."""

FROM_MM, DOWN_TO_MM = 60.0, -165.0
"""Heights between which hair is measured."""

ENDS_MM = 12.0
"""Height of a gap in the hair's colour that ends it."""

SMOOTH_MM = 15.0
"""Half the height over which widths are steadied."""

SHOULDERS_MM = 75.0
"""Farther out the mesh's edge is no neck's."""


class Length(Enum):
    """What a side of the head tells."""

    LONG = "long"
    CLEAR = "clearly long"
    SHORT = "short"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class FallingHair:
    """How hair falls beside a head, of its right side (x below 0) and its left one.

    Attributes:
        heights: over the model's origin, mm, descending.
        outer: distance in the picture of hair's outline from the model's origin, mm.
        inner: the same of its edge towards the face and the neck.
        hem: heights where it ends.
        cut: whether the photo ends before the hair does.
        sine, cosine: of the angle by which the head is turned, as the picture shows it: of the
            model's z and of its x to the picture's right.
        right: 1 if the model's x points to the right in the picture, else -1.
    """

    heights: Float[np.ndarray, "k"]
    outer: Float[np.ndarray, "2 k"]
    inner: Float[np.ndarray, "2 k"]
    hem: Float[np.ndarray, "2"]
    cut: tuple[bool, bool]
    sine: float
    cosine: float
    right: int


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """The half of the picture on one side of the origin; the first column is at it."""

    hair: Bool[np.ndarray, "r c"]
    odds: Float[np.ndarray, "r c"]
    inside: Bool[np.ndarray, "r c"]
    edge: Float[np.ndarray, "r"]
    """Column where the mesh ends; -1 where it is not."""


def falling_hair(found: HairInPhoto, head: PosedHead) -> FallingHair | None:
    """The hair that hangs below the ears; None if it is short, or if that cannot be told."""
    axis = across_of(head)[0] @ head.pose.rotation[:2]
    right, cosine, sine = (1 if axis[0] > 0.0 else -1), abs(float(axis[0])), float(axis[2])
    if cosine < PROFILE_COSINE:
        return None
    sides = [_side(found, sign * right) for sign in (-1, 1)]
    lengths = [_length(side) for side in sides]
    near = 1 if -sine * right > 0.0 else 0  # the side that the face does not point to
    turned = abs(sine) > TURNED_SINE
    long = [length in (Length.LONG, Length.CLEAR) for length in lengths]
    if turned:
        if lengths[near] is not Length.CLEAR and not all(long):
            return None
    elif not any(long) or (Length.SHORT in lengths and Length.CLEAR not in lengths):
        return None
    used = [near] if turned else [k for k in (0, 1) if long[k]]
    rows = (heights_mm() <= FROM_MM) & (heights_mm() >= DOWN_TO_MM)
    heights = heights_mm()[rows]
    profiles = {k: _profile(sides[k], rows, heights) for k in used}
    first, second = (profiles.get(k, profiles[used[0]]) for k in (0, 1))
    return FallingHair(
        heights=heights,
        outer=np.stack([first[0], second[0]]),
        inner=np.stack([first[1], second[1]]),
        hem=np.array([first[2], second[2]]),
        cut=(first[3], second[3]),
        sine=sine,
        cosine=cosine,
        right=right,
    )


def _side(found: HairInPhoto, sign: int) -> _Side:
    half = COLUMNS // 2

    def one(plane: np.ndarray) -> np.ndarray:
        return plane[:, half:] if sign > 0 else plane[:, half - 1 :: -1]

    mesh = one(found.mesh)
    edge = np.where(mesh.any(axis=1), half - 1 - np.argmax(mesh[:, ::-1], axis=1), -1)
    return _Side(one(found.hair), one(found.odds), one(found.inside), edge.astype(float))


def _length(side: _Side) -> Length:
    height = heights_mm()
    band = np.flatnonzero((height >= FALLS_MM) & (height <= JAW_MM[1]) & (side.edge >= 0.0))
    jaw: list[bool] = []
    wide: list[bool] = []
    clear: list[float] = []
    outside: list[float] = []
    starts, ends = _runs(side.hair[band], side.edge[band].astype(int) + 1)
    for row, start, end in zip(band, starts, ends, strict=True):
        edge = int(side.edge[row]) + 1
        zone = slice(edge, edge + round(BESIDE_MM / MM_PER_PX))
        inside = side.inside[row, zone]
        if inside.sum() * MM_PER_PX < LEAST_MM:
            continue
        bounded = end < side.inside.shape[1] and bool(side.inside[row, end])
        outside.append((end - max(start, edge)) * MM_PER_PX * bounded)
        if height[row] < JAW_MM[0]:
            continue
        clear.append(float((side.odds[row, zone][inside] < NOT_HAIR).mean()))
        beside = (end - max(start, edge)) * MM_PER_PX
        jaw.append((end - start) * MM_PER_PX >= LEAST_MM and beside >= OUTSIDE_MM)
        wide.append((end - edge) * MM_PER_PX > WIDEST_MM)
    if len(jaw) < ROWS_SEEN:
        return Length.UNKNOWN
    if np.mean(wide) > WIDE_ROWS:
        return Length.SHORT
    if np.mean(jaw) >= ENOUGH:
        falls = np.mean(np.array(outside) >= OUTSIDE_MM) >= CLEARLY
        return Length.CLEAR if falls and np.median(outside) >= CLEARLY_MM else Length.LONG
    return Length.SHORT if np.mean(clear) > SHORT else Length.UNKNOWN


def _runs(hair: Bool[np.ndarray, "k c"], edge: Int[np.ndarray, "k"]) -> tuple[list[int], list[int]]:
    """The first columns of the hair near the mesh's edge in rows, and the first beyond it."""
    closed = hair.copy()  # without small gaps
    closed[:, :-1] |= hair[:, 1:]
    closed[:, :-2] |= hair[:, 2:]
    columns, count = np.arange(hair.shape[1]), hair.shape[1]
    first, last = edge - round(INSIDE_MM / MM_PER_PX), edge + round(GAP_MM / MM_PER_PX)
    near = hair & (columns >= first[:, None]) & (columns <= last[:, None])
    found = near.any(axis=1)
    begin = count - 1 - np.argmax(near[:, ::-1], axis=1)
    before = np.where(closed | (columns >= begin[:, None]), -1, columns).max(axis=1)
    after = np.where(closed | (columns < begin[:, None]), count, columns).min(axis=1)
    start, end = np.where(found, before + 1, edge), np.where(found, after, edge)
    return start.tolist(), end.tolist()


def _profile(
    side: _Side, rows: Bool[np.ndarray, "r"], heights: Float[np.ndarray, "k"]
) -> tuple[Float[np.ndarray, "k"], Float[np.ndarray, "k"], float, bool]:
    """Outline, inner edge, the height where hair ends, and whether the photo ends before it."""
    outer = np.full(len(heights), np.nan)
    inner = np.full(len(heights), np.nan)
    hem, cut, missing = heights[-1], False, 0.0
    inside = side.inside.tolist()
    own = side.edge[rows].astype(int) + 1
    last = np.maximum.accumulate(np.where(own > 0, np.arange(len(own)), 0))
    edges = np.minimum(own[last], round(SHOULDERS_MM / MM_PER_PX))
    starts, ends = _runs(side.hair[rows], edges)
    for k, row in enumerate(np.flatnonzero(rows).tolist()):
        edge, start, end = int(edges[k]), starts[k], ends[k]
        if not any(inside[row][max(edge - 4, 0) : edge + 4]):
            if heights[k] < JAW_MM[1]:
                hem, cut = heights[k], True
                break
            continue
        if (end - start) * MM_PER_PX >= OUTSIDE_MM:
            inner[k] = start * MM_PER_PX
            if end < len(inside[row]) and inside[row][end]:
                outer[k] = end * MM_PER_PX
            else:
                outer[k] = np.nan
            missing = 0.0
        elif heights[k] < JAW_MM[1]:
            missing += MM_PER_PX
            if missing > ENDS_MM:
                hem = heights[k] + missing
                break
    return _steadied(outer), _steadied(inner), float(hem), cut


def _steadied(values: Float[np.ndarray, "k"]) -> Float[np.ndarray, "k"]:
    """Gaps filled from what is near, single rows ignored, and smooth; NaN if nothing is known."""
    known = np.isfinite(values)
    if not known.any():
        return values
    places = np.arange(len(values))
    filled = np.interp(places, places[known], values[known])
    reach = round(SMOOTH_MM / MM_PER_PX)
    padded = np.pad(filled, reach, mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    middle = np.median(around, axis=1)
    padded = np.pad(middle, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).mean(axis=1)
