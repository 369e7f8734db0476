"""Lids that wrap the eyeballs: rows of vertices around the eye, and what is made exact there.

Around an eye the base mesh has closed rows of 28 vertices, one inside the other. Three rows of the
rim lie behind the row where the lid touches the ball, eight before it. Everything is worked out on
the left eye and mirrored.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import LinearNDInterpolator

from face_model.skin import LID_RINGS, Skin

OUTER_ROWS = 8
RADIUS_MM = 13.8
"""Of the eyeball: the rows that touch it lie on a sphere of 14.0 mm in the mean, within 0.05."""

RIM_MM = (0.10, 0.35, 0.80)
RIM_ANGLES_DEG = (2.5, 7.0, 12.0)
"""The rim's rows behind the lid: how far from the ball, and how far from the lid's edge."""

EDGE = 2
"""Outer row at the lid's visible edge, counted from the one that touches."""

UPPER_KEPT, LOWER_KEPT = 0.3, 0.45
"""Share of how the lids' heights on the ball differ between people that stays in identity.

A blink adds the same displacement to everybody, so that it cannot close eyes of all heights; how
far eyes are open is said by expressions.
"""

OVERLAP_MM = 2.2
"""By which the upper lid passes the lower one in a blink, so that it closes wider eyes, too."""

OVERLAP_POWER = 0.15
"""Of the sine that takes the overlap to nothing at the corners: heads differ close to them, too."""

ROW_FALLOFF = (1.0, 1.0, 1.0, 0.75, 0.45, 0.2, 0.08, 0.0)
"""How far the outer rows follow corrections at the lid's edge."""

COVER_KEPT = (1.0, 1.0, 1.0, 0.9, 0.75, 0.65, 0.6, 0.65)
"""Share that stays in identity of how deep each row of the upper lid lies when it covers the ball:
what is a hollow above an open eye must not let the ball through a closed lid."""

LOWER_LIFT_MM = (0.6, 1.0, 1.1, 1.0, 0.8, 0.5, 0.3, 0.1)
"""How far the lower lid's rows rise from the ball in a blink."""

BEHIND_MM, BULGE = 1.0, 0.25
"""A closed upper lid lies so far behind the lower one; for a millimetre above it rises by this much
from there."""

THIN_MM = (0.6, 1.0, 1.3, 1.2, 1.1, 1.1, 1.1, 1.1)
"""How near to the ball its rows may come for that: half-way they must still clear it."""

LOOK_DOWN_GONE = 0.45
"""Share of the upper lid's way down in a look down that is left out at the middle of the eye: the
edge stays an arc, and the iris is seen."""

CALM_SD = 3.5
"""Standard deviations of identity at which lids still clear the ball."""


@dataclass(frozen=True)
class LidGrid:
    """Rows of one eye, left.

    Attributes:
        rows: (11, 28) vertices, from the deepest of the rim outwards; `rows[LID_RINGS]` touches.
        upper: (28,) bool, columns of the upper lid.
        along: (28,) place of each column between the corners, 0 at the inner one.
    """

    rows: np.ndarray
    upper: np.ndarray
    along: np.ndarray

    @property
    def rim(self) -> np.ndarray:
        """(3, 28): rows behind the one that touches."""
        return self.rows[:LID_RINGS]

    @property
    def outer(self) -> np.ndarray:
        """(8, 28): the row that touches, and those before it."""
        return self.rows[LID_RINGS:]


def lid_grid(skin: Skin, mean: np.ndarray) -> LidGrid:
    """The left eye's rows."""
    neighbours: dict[int, set[int]] = defaultdict(set)
    for a, b, c in skin.faces.tolist():
        neighbours[a] |= {b, c}
        neighbours[b] |= {a, c}
        neighbours[c] |= {a, b}
    loop = skin.lids[0]
    rim = set(np.flatnonzero(skin.rims).tolist())
    outward = _rows(loop, neighbours, rim, OUTER_ROWS - 1)
    outside = set(range(len(mean))) - rim
    inward = _rows(loop, neighbours, outside, LID_RINGS)
    rows = [_aligned(mean, loop, row) for row in inward[::-1]]
    rows += [loop, *(_aligned(mean, loop, row) for row in outward)]
    points = mean[loop]
    half = len(loop) // 2
    width = np.roll(points[:, 0], -half) - points[:, 0]
    start = int(np.argmax(width))  # the inner corner; the outer one is half a row away
    first = (start + np.arange(half + 1)) % len(loop)
    second = (start - np.arange(half + 1)) % len(loop)
    if mean[loop[first], 1].mean() < mean[loop[second], 1].mean():
        first = second
    upper = np.zeros(len(loop), bool)
    upper[first[1:-1]] = True
    inner, outer = points[start], points[(start + half) % len(loop)]
    axis = (outer - inner) / ((outer - inner) ** 2).sum()
    grid = np.array(rows)
    along = np.clip((mean[grid[LID_RINGS + EDGE]] - inner) @ axis, 0, 1)
    return LidGrid(grid, upper, along)


def _rows(
    loop: np.ndarray, neighbours: dict[int, set[int]], forbidden: set[int], count: int
) -> list[np.ndarray]:
    """Closed rows, one after the other, each as large as the loop."""
    seen = set(loop.tolist()) | forbidden
    rows: list[np.ndarray] = []
    last = set(loop.tolist())
    for _ in range(count):
        members = {k for vertex in last for k in neighbours[vertex]} - seen
        start = min(members)
        row = [start]
        while True:
            ahead = [k for k in neighbours[row[-1]] & members if k not in row]
            if not ahead:
                break
            row.append(min(ahead))
        if len(row) != len(loop) or row[0] not in neighbours[row[-1]]:
            raise SystemExit("the rows around the eye are not closed")
        rows.append(np.array(row))
        seen |= members
        last = members
    return rows


def _aligned(mean: np.ndarray, loop: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The row turned so that its columns are the loop's."""
    centre = mean[loop].mean(axis=0)
    bearing = mean[loop] - centre
    turned = [np.roll(way, k) for way in (row, row[::-1]) for k in range(len(row))]

    def fit(candidate: np.ndarray) -> float:
        arm = mean[candidate] - mean[candidate].mean(axis=0)
        arm /= np.linalg.norm(arm, axis=1, keepdims=True)
        return float((arm * bearing).sum())

    return max(turned, key=fit)


def ball_centre(mean: np.ndarray, grid: LidGrid) -> np.ndarray:
    """Centre of the ball of `RADIUS_MM` that the touching row lies on."""
    points = mean[grid.outer[0]]
    system = np.concatenate([2 * points, np.ones((len(points), 1))], axis=1)
    x, *_ = np.linalg.lstsq(system, (points**2).sum(axis=1), rcond=None)
    return x[:3]


def with_rim(
    place: np.ndarray, grid: LidGrid, centre: np.ndarray, open_eye: np.ndarray
) -> np.ndarray:
    """Vertices with the rim's rows on the ball, hidden behind the touching row.

    Args:
        place: (v, 3).
        grid: the eye's rows.
        centre: of the ball.
        open_eye: (v, 3) at rest: away from its opening is behind the lids.
    """
    loop, rest = place[grid.outer[0]], open_eye[grid.outer[0]]
    arm = loop - centre
    arm /= np.linalg.norm(arm, axis=1, keepdims=True)
    back = rest - rest.mean(axis=0)
    back -= (back * arm).sum(axis=1, keepdims=True) * arm
    back /= np.linalg.norm(back, axis=1, keepdims=True)
    place = place.copy()
    for row, degrees, off in zip(grid.rim[::-1], RIM_ANGLES_DEG, RIM_MM, strict=True):
        angle = np.radians(degrees)
        place[row] = centre + (RADIUS_MM + off) * (np.cos(angle) * arm + np.sin(angle) * back)
    return place


@dataclass(frozen=True)
class BallMode:
    """How an identity mode moves and scales the left ball, per standard deviation."""

    shift: np.ndarray
    growth: float
    """mm of its radius."""


def identity_lids(
    field: np.ndarray,
    mean: np.ndarray,
    closed: np.ndarray,
    grid: LidGrid,
    centre: np.ndarray,
    guess: BallMode,
) -> tuple[np.ndarray, BallMode]:
    """An identity mode (v, 3) whose lids keep touching the ball, and the ball's part of it.

    Args:
        field: the mode.
        mean: (v, 3) with the eye open.
        closed: (v, 3) with the eye closed.
        grid: the eye's rows.
        centre: of the ball.
        guess: the ball's part before the lids are looked at.
    """
    field = field.copy()
    outer = grid.outer
    touching = _outward(mean[outer[0]], centre)
    radial = (field[outer[0]] * touching).sum(axis=1)
    system = np.concatenate([touching, np.ones((len(touching), 1))], axis=1)
    known = np.append(guess.shift, guess.growth)
    prior = 0.05 * len(touching)
    left = system.T @ system + prior * np.eye(4)
    ball = np.linalg.solve(left, system.T @ radial + prior * known)
    mode = BallMode(ball[:3], float(ball[3]))
    rest = radial - system @ ball
    gone = np.where(grid.upper, 1 - UPPER_KEPT, 1 - LOWER_KEPT)
    gone = gone * np.sin(np.pi * grid.along) ** 0.5
    edge = outer[EDGE]
    slide = _upward(mean[edge], centre)
    height = ((field[edge] - mode.shift) * slide).sum(axis=1) * gone
    for row, share in zip(outer, ROW_FALLOFF, strict=True):
        field[row] -= share * rest[:, None] * touching
        field[row] -= share * height[:, None] * _upward(mean[row], centre)
    calm = grid.upper * np.sin(np.pi * grid.along) ** 0.5
    for row, kept in zip(outer, COVER_KEPT, strict=True):
        arm = _outward(closed[row], centre)
        deep = ((field[row] - mode.shift) * arm).sum(axis=1) - mode.growth
        field[row] -= ((1 - kept) * calm * deep)[:, None] * arm
    # The rim slides along the ball as the lid does.
    for row in grid.rim:
        arm = _outward(mean[row], centre)
        own = field[outer[0]] - mode.shift
        own -= (own * arm).sum(axis=1, keepdims=True) * arm
        field[row] = mode.shift + mode.growth * arm + own
    return field, mode


def calmed_lids(
    modes: list[np.ndarray],
    balls: list[BallMode],
    mean: np.ndarray,
    grid: LidGrid,
    centre: np.ndarray,
) -> list[np.ndarray]:
    """Modes (v, 3) whose lids clear the ball up to `CALM_SD` standard deviations of identity."""
    rows = grid.outer.ravel()
    arm = _outward(mean[rows], centre)
    room = np.linalg.norm(mean[rows] - centre, axis=1) - RADIUS_MM
    heights = np.array([
        ((mode[rows] - ball.shift) * arm).sum(axis=1) - ball.growth
        for mode, ball in zip(modes, balls, strict=True)
    ])  # fmt: skip
    spread = np.sqrt((heights**2).sum(axis=0))
    gone = 1 - np.clip(room / (CALM_SD * spread + 1e-9), 0, 1)
    calm = [mode.copy() for mode in modes]
    for mode, height in zip(calm, heights, strict=True):
        mode[rows] -= (gone * height)[:, None] * arm
    return calm


def _outward(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    arm = points - centre
    return arm / np.linalg.norm(arm, axis=1, keepdims=True)


def _upward(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Unit directions (n, 3) along the ball, up."""
    arm = _outward(points, centre)
    up = np.array([0.0, 1.0, 0.0]) - arm * arm[:, 1:2]
    return up / np.linalg.norm(up, axis=1, keepdims=True)


def _facing(values: np.ndarray, grid: LidGrid) -> np.ndarray:
    """Values (28, c) of the opposite lid at the same place between the corners."""
    found = np.empty_like(values)
    for mine in (grid.upper, ~grid.upper):
        order = np.flatnonzero(~mine)[np.argsort(grid.along[~mine])]
        for k in range(values.shape[1]):
            found[mine, k] = np.interp(grid.along[mine], grid.along[order], values[order, k])
    return found


def expression_lids(
    field: np.ndarray, mean: np.ndarray, grid: LidGrid, centre: np.ndarray, name: str
) -> np.ndarray:
    """An expression (v, 3) at whose full extent the lids clear the ball, or close over it."""
    closes = name == "eyeBlinkLeft"
    outer = grid.outer
    if name == "eyeLookDownLeft":
        field = field.copy()
        gone = LOOK_DOWN_GONE * grid.upper * np.sin(np.pi * grid.along)
        for row, falloff in zip(outer, ROW_FALLOFF, strict=True):
            field[row] *= 1 - falloff * gone[:, None]
    place = mean + field
    if np.linalg.norm(field[outer], axis=2).max() < 0.05:
        return field
    if closes:
        edge = place[outer[EDGE]]
        gap = _facing(edge, grid) - edge
        calm = np.sin(np.pi * grid.along) ** OVERLAP_POWER
        # The whole way to the lower lid, and past it.
        down = np.where(grid.upper, -OVERLAP_MM * calm, 0.0)
        for row, falloff in zip(outer, ROW_FALLOFF, strict=True):
            moved = np.where(grid.upper, falloff, 0.0)
            place[row, 1] += moved * gap[:, 1] + falloff * down
    moved = np.linalg.norm((place - mean)[outer[EDGE]], axis=1)
    lift = 0.06 * moved  # half-way to the end, straight paths cut into the ball
    if closes:
        lift += np.where(grid.upper, 0.5, 0.1)
    for row, falloff in zip(outer, ROW_FALLOFF, strict=True):
        before = np.linalg.norm(mean[row] - centre, axis=1) - RADIUS_MM
        arm = place[row] - centre
        now = np.linalg.norm(arm, axis=1)
        wanted = np.maximum(now, RADIUS_MM + before * 0.95 + lift * falloff)
        place[row] = centre + arm * (wanted / now)[:, None]
    if closes:
        place = _tucked(place, grid, centre)
    return with_rim(place, grid, centre, mean) - mean


def _tucked(place: np.ndarray, grid: LidGrid, centre: np.ndarray) -> np.ndarray:
    """Vertices (v, 3) of a closed eye whose upper lid ends behind the lower one."""
    place, lower = place.copy(), ~grid.upper
    for row, lift in zip(grid.outer, LOWER_LIFT_MM, strict=True):
        calm = np.sin(np.pi * grid.along[lower]) ** OVERLAP_POWER
        place[row[lower]] += (lift * calm)[:, None] * _outward(place[row[lower]], centre)
    edge = place[grid.outer[EDGE]]
    facing = _facing(np.column_stack([edge, np.linalg.norm(edge - centre, axis=1)]), grid)
    front = grid.outer[EDGE:, lower].ravel()
    depth = np.linalg.norm(place[front] - centre, axis=1)
    surface = LinearNDInterpolator(place[front, :2], depth)
    for row, thin in zip(grid.outer, THIN_MM, strict=True):
        arm = place[row] - centre
        now = np.linalg.norm(arm, axis=1)
        above = np.clip(place[row, 1] - facing[:, 1], 0, None)
        lid = np.where(above > 0, facing[:, 3], surface(place[row, :2]))
        behind = np.nan_to_num(lid - BEHIND_MM + BULGE * above, nan=np.inf)
        wanted = np.minimum(now, np.maximum(behind, RADIUS_MM + thin))
        place[row] = np.where(
            grid.upper[:, None], centre + arm * (wanted / now)[:, None], place[row]
        )
    return place
