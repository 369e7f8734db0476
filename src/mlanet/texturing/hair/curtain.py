"""The surface of hair that falls below the ears: a sheet around the back of the head.

It hangs from the scalp's hair above the ears. At each height it is an arc around an upright axis,
so that it never meets itself, and it keeps clear of head, neck and shoulders.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, Int32

from mlanet.morphable import MorphableModel
from mlanet.texturing.hair.from_axis import AXIS_Z_MM, around, distances_of, looked_up
from mlanet.texturing.hair.sides import FallingHair
from mlanet.texturing.smooth_fields import ramp

HANGS_FROM_MM, FREE_BELOW_MM = 64.0, 22.0
"""Heights of its upper rim, which lies on the hair of the scalp, and where it hangs freely."""

LOWEST_MM = -142.0
"""Height of the lowest hem: the shoulders."""

CUT_OFF_MM = 30.0
"""How far hair goes on below the photo's edge."""

FRONT_MM, FRONTMOST_MM = 62.0, 58.0
"""Depth of the arc before the axis, and how far before the ears its edges may be."""

NARROWEST_MM, BROADEST_MM = 66.0, 150.0
"""Half its width."""

AS_SHELL_MM = 45.0
"""Height at which its width is the scalp's hair's."""

BESIDE_SHELL_MM = 6.0
"""How far it stands off the scalp's hair if the photo does not show its outline."""

EDGE_DEG = 78.0, 152.0
"""Least and largest angle from the back of its edges."""

SQUARENESS = 2.3
"""Exponent of the superellipses that its sections are."""

NAPE_SHARE = 0.9
"""Distance of the hem from the axis at the back, over that of the scalp's hair."""

CLEAR_MM = 3.0
"""Distance from the head."""

ACROSS, DOWN = 60, 15
"""Columns from the back to an edge, and rows."""

WISPS_MM, ENDS_MM = 9.0, 18.0
"""How far it goes on beyond the edges and the hem that the photo shows: single strands do."""

BENT_MM, BENT_SHARE = 16.0, 0.72
"""How far it turns in towards the face, at most, and the share of the way to an edge from which it
does."""

LOCKS = ((3, 1.5), (7, 2.6), (16, 2.2))
"""Columns of the locks that stand out from each other, and their deviations, mm."""

LOCK_ROWS, LOCKS_FROM_MM = 4, (2.0, 50.0)
"""Along their length, and the distances from the upper rim between which they begin to."""

HEMS_APART_MM = 25.0
"""By how much more hair may fall on one side than on the other: shoulders hide where it ends."""

INNER_SHARE, BEHIND_MM = 0.2, 3.0
"""Share of the texture's height that the inner side has, and how far it lies behind."""

INSET = 0.02
"""Share of the height of the part of a side that is left free at both ends."""

RIM_MM = 0.7
"""How deep the upper rim lies in the scalp's hair."""

ABOVE_MM = 10.0
"""How far above it the scalp's hair tells the direction in which that faces."""

EARS_MM = 44.0
"""Height below which there are ears and shoulders, which keep the hair away from near by."""

SHOULDERS_MM = -85.0
"""Height below which there are shoulders, which bend too much for the grid."""

EDGE_STEPS = 5.0, 1.2
"""Of the heights at which edges are found, over which these are steadied: away from the edge, and
at it."""

AT_EDGE = 5.0
"""Exponent with which strands follow the edge's own waves towards it."""


@dataclass(frozen=True, slots=True, eq=False)
class Curtain:
    """A grid of vertices seen from outside, and a coarser one behind it seen from inside.

    Attributes:
        outer: rows from the upper rim to the hem, columns from the right edge (x below 0) around
            the back to the left one; model frame, mm.
        inner: every second row and fourth column, but not the edges.
        within: distances in mm from the nearer edge and from the hem that the photo shows, at the
            outer grid; below zero beyond them.
        locks: how far locks stand out there, mm; their mean is zero.
        normals: of the vertices, of unit length; at the upper rim those of the scalp's hair.
    """

    outer: Float[np.ndarray, "r c 3"]
    inner: Float[np.ndarray, "s d 3"]
    within: Float[np.ndarray, "r c 2"]
    locks: Float[np.ndarray, "r c"]
    normals: Float[np.ndarray, "n 3"]

    @property
    def vertices(self) -> Float[np.ndarray, "n 3"]:
        """Of the outer grid, row by row, and of the inner one."""
        return np.concatenate([self.outer.reshape(-1, 3), self.inner.reshape(-1, 3)])

    @property
    def faces(self) -> Int32[np.ndarray, "f 3"]:
        """Counter-clockwise from the side that they are seen from."""
        count = len(self.outer.reshape(-1, 3))
        inner = grid_faces(*self.inner.shape[:2])[:, ::-1] + np.int32(count)
        return np.concatenate([grid_faces(*self.outer.shape[:2]), inner])

    @property
    def uv(self) -> Float[np.ndarray, "n 2"]:
        """Texture coordinates; origin at the lower left. The inner side has the lowest part."""
        return np.concatenate(
            [_grid_uv(self.outer, INNER_SHARE, 1.0), _grid_uv(self.inner, 0.0, INNER_SHARE)]
        )

    def grid_places(
        self, size: tuple[int, int]
    ) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Columns and rows of the outer grid at texels of its part of a texture.

        Args:
            size: width and height of that part.
        """
        width, height = size
        rows, columns = self.outer.shape[:2]
        across = (np.arange(width) + 0.5) / width * (columns - 1)
        down = ((np.arange(height) + 0.5) / height - INSET) / (1.0 - 2.0 * INSET) * (rows - 1)
        x, y = np.meshgrid(across.astype(np.float32), down.astype(np.float32))
        return x, y


def _grid_uv(grid: Float[np.ndarray, "r c 3"], low: float, high: float) -> Float[np.ndarray, "n 2"]:
    rows, columns = grid.shape[:2]
    inset = INSET * (high - low)
    down, across = np.linspace(high - inset, low + inset, rows), np.linspace(0.0, 1.0, columns)
    v, u = np.meshgrid(down, across, indexing="ij")
    return np.stack([u.ravel(), v.ravel()], axis=1)


def _grid_normals(grid: Float[np.ndarray, "r c 3"]) -> Float[np.ndarray, "r c 3"]:
    down, across = (np.gradient(grid, axis=axis) for axis in (0, 1))
    normals = np.cross(across, down)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    away = grid - [0.0, 0.0, AXIS_Z_MM]
    away[..., 1] = 0.0
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    return np.where(length > 1e-3, normals / np.maximum(length, 1e-3), away)


@lru_cache(maxsize=2)
def grid_faces(rows: int, columns: int) -> Int32[np.ndarray, "f 3"]:
    """Triangles of a grid whose columns go counter-clockwise, seen from above, around the back."""
    at = np.arange(rows * columns).reshape(rows, columns)
    a, b, c, d = at[:-1, :-1], at[:-1, 1:], at[1:, :-1], at[1:, 1:]
    both = np.stack([a, b, c, b, d, c], axis=-1)
    return both.reshape(-1, 3).astype(np.int32)


def curtain_of(
    fall: FallingHair,
    model: MorphableModel,
    head: Float[np.ndarray, "v 3"],
    offsets: Float[np.ndarray, "v 3"],
) -> Curtain:
    """The surface of hair that falls as a photo shows it.

    Args:
        fall: what the photo shows.
        model: the face model.
        head: vertices of the head at rest, without hair.
        offsets: how far hair stands off them.
    """
    shell = distances_of(model, head + offsets)
    hems = _hems(fall)
    heights = np.linspace(HANGS_FROM_MM, float(hems.min()) - 20.0, 48)
    across = _half_widths(fall, shell, heights)
    behind = _back(shell, heights)
    columns = np.linspace(-1.0, 1.0, 2 * ACROSS + 1)
    edges = [_edge(fall, k, heights, across[k], behind, shell) for k in (0, 1)]
    even, wavy = (np.stack([_steady(each, steps) for each in edges]) for steps in EDGE_STEPS)
    share = np.abs(columns)
    hem = hems[0] + (hems[1] - hems[0]) * ramp(columns, -0.7, 0.7)
    down = np.linspace(0.0, 1.0, DOWN)[:, None]
    height = HANGS_FROM_MM + down * (hem - ENDS_MM - HANGS_FROM_MM)
    side = (columns > 0.0).astype(int)

    def at(values: Float[np.ndarray, "2 k"]) -> Float[np.ndarray, "r c"]:
        both = [np.interp(-height, -heights, each) for each in values]
        return np.where(side, both[1], both[0])

    width, depth = at(across), np.interp(-height, -heights, behind)
    edge = at(even) + share**AT_EDGE * (at(wavy) - at(even))
    edge += np.degrees(WISPS_MM / _section(np.radians(edge), width, depth))
    angle = edge * share
    radius = _section(np.radians(angle), width, depth)
    signed = np.where(side, angle, -angle)
    own = looked_up(shell, signed, height)
    clear = np.maximum(own, looked_up(around(shell), signed, np.minimum(height, EARS_MM)))
    clear = np.where(height < EARS_MM, clear, own)
    clear = np.where(height < SHOULDERS_MM, around(clear), clear)  # they lie between rows
    held = ramp(height, FREE_BELOW_MM, HANGS_FROM_MM - 6.0)
    radius = radius + held * (own + 1.0 - radius)
    locks = _locks(DOWN, len(columns)) * ramp(HANGS_FROM_MM - height, *LOCKS_FROM_MM)
    off = 0.8 + (CLEAR_MM - 0.8) * (1.0 - held)
    stands_off = radius - clear - off
    bent = np.clip(stands_off, 0.0, BENT_MM) * ramp(share, BENT_SHARE, 1.0) ** 2
    radius = _smooth(np.maximum(radius - bent, clear + off)) + locks
    radius = np.maximum(radius, clear + off)
    radius[0] = own[0] - RIM_MM
    outer = _points(radius, signed, height)
    within = np.maximum(_least_around(radius) - BEHIND_MM, np.minimum(own + 0.5, radius - 0.5))
    inner = _points(within, signed, height)[::2, 2:-2:4]
    beside = np.radians(edge - angle) * radius - WISPS_MM
    with_above = np.concatenate([height[:1] + ABOVE_MM, height])
    twice = np.concatenate([signed[:1], signed])
    shell_there = _smooth(np.maximum(looked_up(shell, twice, with_above), 1.0))
    on_scalp = _grid_normals(_points(shell_there, twice, with_above))[1:]
    normals = _grid_normals(outer)
    normals += held[..., None] * (on_scalp - normals)
    normals[0] = on_scalp[0]
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    both = np.concatenate([normals.reshape(-1, 3), -_grid_normals(inner).reshape(-1, 3)])
    inside = np.stack([beside, height - hem], axis=-1)
    return Curtain(outer, inner, inside, locks, both.astype(np.float32))


def _hems(fall: FallingHair) -> Float[np.ndarray, "2"]:
    hems = fall.hem - CUT_OFF_MM * np.array(fall.cut)
    return np.maximum(np.minimum(hems, hems.min() + HEMS_APART_MM), LOWEST_MM)


@lru_cache(maxsize=2)
def _locks(rows: int, columns: int) -> Float[np.ndarray, "r c"]:
    """How far locks stand out, mm: the same for everybody."""
    import cv2

    rng = np.random.default_rng(5)
    total = np.zeros((rows, columns))
    for width, amount in LOCKS:
        cells = rng.normal(size=(LOCK_ROWS, columns // width + 1))
        total += amount * cv2.resize(cells, (columns, rows), interpolation=cv2.INTER_CUBIC)
    return total - total.mean()


def _half_widths(
    fall: FallingHair, shell: Float[np.ndarray, "h a"], heights: Float[np.ndarray, "k"]
) -> Float[np.ndarray, "2 k"]:
    """Half the width of both sides at the heights, mm."""
    found = np.empty((2, len(heights)))
    behind = _back(shell, heights)
    degrees = np.arange(20.0, 150.0, 2.0)
    at = np.full(len(degrees), AS_SHELL_MM)
    depth = float(np.interp(-AS_SHELL_MM, -heights, behind))
    for k, sign in enumerate((-1, 1)):
        lean = sign * fall.right * fall.sine
        own = looked_up(shell, sign * degrees, at)
        angle = np.radians(degrees)
        x, z = own * np.sin(angle), AXIS_Z_MM - own * np.cos(angle)
        beside = float(x.max())
        # the same reasoning for the scalp's hair, whose width is known, mends it
        mend = beside / _width(float((x * fall.cosine + z * lean).max()), depth, lean, fall.cosine)
        outer = np.interp(-heights, -fall.heights, fall.outer[k])
        wide = mend * _width(outer, behind if lean < 0.0 else FRONT_MM, lean, fall.cosine)
        wide = np.where(np.isfinite(wide), wide, beside + BESIDE_SHELL_MM)
        found[k] = np.clip(wide, NARROWEST_MM, BROADEST_MM)
    return found


def _width(outer: Any, depth: Any, lean: float, cosine: float) -> Any:
    """Half the width of an ellipse whose outline is seen at a distance from the origin, mm."""
    apart = np.maximum(outer - AXIS_Z_MM * lean, NARROWEST_MM)
    return np.sqrt(np.maximum(apart**2 - (depth * lean) ** 2, NARROWEST_MM**2 / 2.0)) / cosine


def _back(
    shell: Float[np.ndarray, "h a"], heights: Float[np.ndarray, "k"]
) -> Float[np.ndarray, "k"]:
    """Distance of the back of the curtain from the axis: it hangs from the back of the head."""
    own = looked_up(shell, np.zeros(len(heights)), heights)
    top = float(own[heights > 0.0].max()) + 1.0
    return np.maximum(top * (1.0 + (NAPE_SHARE - 1.0) * ramp(heights, 0.0, -90.0)), own + CLEAR_MM)


def _section(
    angle: Float[np.ndarray, "*k"], across: Float[np.ndarray, "*k"], behind: Float[np.ndarray, "*k"]
) -> Float[np.ndarray, "*k"]:
    """Distance from the axis at angles from the back, in radians."""
    cosine = np.cos(angle)
    depth = np.where(cosine > 0.0, behind, FRONT_MM)
    p = SQUARENESS
    return ((np.abs(np.sin(angle)) / across) ** p + (np.abs(cosine) / depth) ** p) ** (-1.0 / p)


def _edge(
    fall: FallingHair,
    side: int,
    heights: Float[np.ndarray, "k"],
    across: Float[np.ndarray, "k"],
    behind: Float[np.ndarray, "k"],
    shell: Float[np.ndarray, "h a"],
) -> Float[np.ndarray, "k"]:
    """Angle from the back, in degrees, of one edge at the heights."""
    sign = (-1, 1)[side]
    lean = sign * fall.right * fall.sine
    degrees = np.arange(EDGE_DEG[0], EDGE_DEG[1] + 1.0, 1.0)
    angle = np.radians(degrees)[None]
    own = looked_up(
        shell,
        np.broadcast_to(sign * degrees, (len(heights), len(degrees))),
        heights[:, None] + 0.0 * degrees,
    )
    radius = np.maximum(_section(angle, across[:, None], behind[:, None]), own + CLEAR_MM)
    x, z = radius * np.sin(angle), AXIS_Z_MM - radius * np.cos(angle)
    seen = x * fall.cosine + z * lean
    inner = np.interp(-heights, -fall.heights, fall.inner[side])
    ends = (z > FRONTMOST_MM) | (seen < np.where(np.isfinite(inner), inner, 75.0)[:, None])
    return np.where(ends.any(axis=1), degrees[np.argmax(ends, axis=1)], degrees[-1])


def _steady(values: Float[np.ndarray, "k"], steps: float) -> Float[np.ndarray, "k"]:
    import cv2

    smooth = cv2.GaussianBlur(values[:, None], (0, 0), steps, borderType=cv2.BORDER_REPLICATE)
    return smooth[:, 0]


def _points(
    radius: Float[np.ndarray, "r c"],
    signed: Float[np.ndarray, "r c"],
    height: Float[np.ndarray, "r c"],
) -> Float[np.ndarray, "r c 3"]:
    angle = np.radians(signed)
    return np.stack([radius * np.sin(angle), height, AXIS_Z_MM - radius * np.cos(angle)], axis=-1)


def _smooth(values: Float[np.ndarray, "r c"]) -> Float[np.ndarray, "r c"]:
    import cv2

    return cv2.GaussianBlur(
        np.asarray(values, np.float64), (21, 5), 0, borderType=cv2.BORDER_REPLICATE
    )


def _least_around(values: Float[np.ndarray, "r c"]) -> Float[np.ndarray, "r c"]:
    """Within the steps of the inner grid, which is coarser."""
    import cv2

    return cv2.erode(np.asarray(values, np.float64), np.ones((5, 9), np.uint8))
