"""Eyeballs in the texture: what the photo shows between the lids, completed beneath them.

The iris is looked for as the disc that is darkest against the ring around it, in both eyes at
once, since they look the same way. Its colours by distance from its middle, and the colour of the
white, are medians of what both eyes show; they complete what the lids hide.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mlanet.texturing.smooth_fields import faded, middle, ramp, repeated

SIDE = 64
"""Texels across an eyeball's part of the texture where the iris is looked for and completed."""

IRIS_DEG = 24.0
"""Radius of the iris, seen from the eyeball's middle."""

RING_DEG = (27.0, 34.0)
"""The white around it that is compared with it."""

FARTHEST_DEG = 18.0
"""How far from the model's gaze the iris is looked for."""

LEAST_CONTRAST = 0.15
"""Difference of brightness, relative to the ring's, by which an iris is recognised."""

LEAST_SEEN = 0.2
"""Share of the disc and of the ring that must be seen."""

MOST_COLOURED = 0.16
"""Largest difference between the channels of the white, over its largest."""

STRAYING = 0.25
"""How much contrast an iris at the farthest place must have more than one at the pole."""

SHADED_DEG = (40.0, 80.0)
SHADE = 0.12
"""The white darkens by this share between these angles: towards the socket."""

ABOVE_DEG, BELOW_DEG, LID_SHADE = (4.0, 26.0), (20.0, 40.0), (0.42, 0.06)
"""The same under the upper lid and over the lower one, where lids are at rest. Light comes from
above, and what the lower lid hides at rest is seen by itself when the eye looks up."""

REACH = 0.12
"""How far what is seen of the white colours what is not, of an eyeball's part of the texture."""

SEAM_REACH = 0.03
"""The same of all that is seen, rims and corners included: no seam shows beside lids at rest."""

RIM = 0.014
"""How wide the border is where dark that is seen beside the iris is not the ball's own, of an
eyeball's part of the texture."""

PALE = (0.75, 0.95), (0.0, 0.08)
"""Brightness, relative to the white's, and excess of saturation between which what is seen of the
eyeball is taken for its white."""

LID_CHROMA = (18.0, 32.0)
"""How much more coloured (CIELAB a, b) than the white what lies on it is, from which it is lid."""


@dataclass(frozen=True, slots=True)
class EyeIsland:
    """The round part of the texture that is an eyeball, the front pole in its middle.

    Attributes:
        centre_uv: its middle.
        radius_uv: its radius.
        deg_per_uv: angle on the ball for a distance from the middle.
    """

    centre_uv: tuple[float, float]
    radius_uv: float
    deg_per_uv: float

    def window(self, size: int) -> tuple[slice, slice]:
        """Rows and columns of a texture of this size that hold it."""
        u, v = self.centre_uv
        middle_row, middle_column, radius = (1.0 - v) * size, u * size, self.radius_uv * size
        return tuple(  # pyright: ignore[reportReturnType]
            slice(max(int(middle - radius), 0), min(int(np.ceil(middle + radius)), size))
            for middle in (middle_row, middle_column)
        )

    def offsets_deg(self, size: int) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Angles to the right and downwards of the window's texels from the pole."""
        rows, columns = self.window(size)
        u, v = self.centre_uv
        x = (np.arange(columns.start, columns.stop) + 0.5) / size - u
        y = (np.arange(rows.start, rows.stop) + 0.5) / size - (1.0 - v)
        across, down = np.meshgrid(x * self.deg_per_uv, y * self.deg_per_uv)
        return across.astype(np.float32), down.astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Look:
    """What an eye shows: colours and how far they are known, on a small square grid in degrees."""

    colors: Float[np.ndarray, "n n 3"]
    known: Float[np.ndarray, "n n"]
    deg_per_texel: float


def complete_eyes(
    image: UInt8[np.ndarray, "s s 3"],
    photo: UInt8[np.ndarray, "s s 3"],
    visibility: Float[np.ndarray, "s s"],
    islands: Sequence[EyeIsland],
) -> None:
    """Replace what stands for hidden parts of eyeballs in a texture's `image`, in place.

    Where no iris is found, as in closed eyes or behind dark glasses, nothing is changed.
    """
    import cv2

    size = len(image)
    looks = [_look(photo, visibility, island) for island in islands]
    found = _iris(looks)
    if found is None:
        return
    across, down = found
    profile, white = _colors(looks, across, down)
    for island in islands:
        window, ball = island.window(size), _ball(island, size)
        colors, seen = photo[window].astype(np.float32), visibility[window]
        distance = np.sqrt((ball.across_deg - across) ** 2 + (ball.down_deg - down) ** 2)
        drawn = _at_distance(profile, distance)
        share = ramp(distance, IRIS_DEG - 1.5, IRIS_DEG + 2.5)
        beside = ramp(distance, IRIS_DEG + 2.0, IRIS_DEG + 6.0)
        own = seen * (1.0 - beside * _lid_on(colors, white))
        pale = _pale(colors, white)
        own *= 1.0 - beside * (1.0 - pale) * _border(seen)
        around = cv2.merge([ball.light * channel for channel in white])
        shown = own * share
        around = _continued(around, colors, shown * pale, REACH)
        around = _continued(around, colors, shown, SEAM_REACH)
        drawn += repeated(share, 3) * (around - drawn)
        drawn += repeated(own, 3) * (colors - drawn)
        np.clip(drawn, 0.0, 255.0, out=drawn)
        image[window] = np.rint(drawn, out=drawn)


@dataclass(frozen=True, slots=True)
class _Ball:
    """An eyeball's window of a texture: angles from its pole, and the light under lids at rest."""

    across_deg: Float[np.ndarray, "h w"]
    down_deg: Float[np.ndarray, "h w"]
    light: Float[np.ndarray, "h w"]


@lru_cache(maxsize=8)
def _ball(island: EyeIsland, size: int) -> _Ball:
    x, y = island.offsets_deg(size)
    light = (1.0 - SHADE * ramp(np.hypot(x, y), *SHADED_DEG)) * _under_lids(y)
    return _Ball(x, y, light.astype(np.float32))


def _under_lids(down_deg: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """What lids at rest leave of the light on an eyeball."""
    above, below = LID_SHADE
    return (1.0 - above * ramp(-down_deg, *ABOVE_DEG)) * (1.0 - below * ramp(down_deg, *BELOW_DEG))


def _continued(
    ball: Float[np.ndarray, "h w 3"],
    photo: Float[np.ndarray, "h w 3"],
    seen: Float[np.ndarray, "h w"],
    reach: float,
) -> Float[np.ndarray, "h w 3"]:
    """The ball's colours, near where the photo's are seen like these."""
    import cv2

    apart, known = (
        cv2.resize(plane, (SIDE // 2, SIDE // 2), interpolation=cv2.INTER_AREA)
        for plane in ((photo - ball) * repeated(seen, 3), seen)
    )
    change = faded(apart / repeated(np.maximum(known, 1e-3), 3), known, reach)
    return ball + cv2.resize(change, seen.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _border(seen: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """How near the border of what is seen is, where the ball is in the shade of lids, or lid."""
    import cv2

    blurred = cv2.GaussianBlur(seen, (0, 0), RIM * len(seen))
    return 1.0 - ramp(blurred, 0.5, 0.9)


def _pale(
    photo: Float[np.ndarray, "h w 3"], white: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "h w"]:
    """How far what a photo shows of the eyeball is its white; the rest is rims, veins, shade."""
    import cv2

    red, green, blue = cv2.split(photo)
    most = np.maximum(np.maximum(np.maximum(red, green), blue), 1.0)
    least = np.minimum(np.minimum(red, green), blue)
    colored = least / most - np.float32(white.min() / white.max())
    bright, colour = PALE
    return ramp(most / np.float32(white.max()), *bright) * (1.0 - ramp(-colored, *colour))


def _lid_on(
    photo: Float[np.ndarray, "h w 3"], white: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "h w"]:
    """How far what a photo shows on the white is lid instead, by its colour."""
    import cv2

    (_, a, b), (_, usual_a, usual_b) = (
        cv2.split(cv2.cvtColor(colors * np.float32(1.0 / 255.0), cv2.COLOR_RGB2LAB))
        for colors in (photo, white[None, None])
    )
    a, b = a - usual_a, b - usual_b
    return ramp(np.sqrt(a * a + b * b), *LID_CHROMA)


def _at_distance(
    profile: Float[np.ndarray, "k 3"], distance: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w 3"]:
    """The profile's colours, given for whole degrees, between them."""
    import cv2

    rows = np.zeros_like(distance)
    return cv2.remap(
        profile[None], distance, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def _look(
    photo: UInt8[np.ndarray, "s s 3"], visibility: Float[np.ndarray, "s s"], island: EyeIsland
) -> _Look:
    import cv2

    window = island.window(len(photo))
    share = np.clip(visibility[window], 0.0, 1.0)
    colors, known = (
        cv2.resize(plane, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for plane in (photo[window] * repeated(share, 3), share)
    )
    colors = colors / repeated(np.maximum(known, 1e-3), 3)
    return _Look(colors, known, 2.0 * island.radius_uv * island.deg_per_uv / SIDE)


def _iris(looks: Sequence[_Look]) -> tuple[float, float] | None:
    """Degrees to the right and downwards of the pole at which irises are; None if none is seen."""
    import cv2

    step = looks[0].deg_per_texel
    disc, ring = _disc_and_ring(step)
    known = np.sum([look.known for look in looks], axis=0)
    light = np.sum([_grey(look.colors) * look.known for look in looks], axis=0)
    sums = [
        cv2.filter2D(plane, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        for plane, kernel in ((light, disc), (known, disc), (light, ring), (known, ring))
    ]
    inner, outer = sums[0] / np.maximum(sums[1], 1e-3), sums[2] / np.maximum(sums[3], 1e-3)
    contrast = 1.0 - inner / np.maximum(outer, 1.0)
    at = (np.arange(SIDE) + 0.5 - SIDE / 2.0) * step
    away = np.hypot(at[None], at[:, None])
    possible = (away < FARTHEST_DEG) & (sums[1] > LEAST_SEEN * disc.sum() * len(looks))
    possible &= sums[3] > LEAST_SEEN * ring.sum() * len(looks)
    score = np.where(possible, contrast - STRAYING * (away / FARTHEST_DEG) ** 2, -1.0)
    row, column = divmod(int(score.argmax()), SIDE)
    if score[row, column] <= 0.0 or contrast[row, column] < LEAST_CONTRAST:
        return None
    return float(at[column]), float(at[row])


def _grey(colors: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    import cv2

    return cv2.transform(colors, np.full((1, 3), 1.0 / 3.0))


@lru_cache(maxsize=4)
def _disc_and_ring(
    step: float,
) -> tuple[Float[np.ndarray, "k k"], Float[np.ndarray, "k k"]]:
    """An iris and the white around it, on a grid of `step` degrees."""
    reach = int(np.ceil(RING_DEG[1] / step))
    x, y = np.meshgrid(*[np.arange(-reach, reach + 1) * step] * 2)
    distance = np.hypot(x, y)
    disc = distance < IRIS_DEG - 3.0
    ring = (distance > RING_DEG[0]) & (distance < RING_DEG[1])
    return disc.astype(np.float32), ring.astype(np.float32)


def _colors(
    looks: Sequence[_Look], across: float, down: float
) -> tuple[Float[np.ndarray, "k 3"], Float[np.ndarray, "3"]]:
    """The iris's colour at each degree from its middle, and that of the white; 0 to 255."""
    step = looks[0].deg_per_texel
    at = (np.arange(SIDE) + 0.5 - SIDE / 2.0) * step
    distance = np.hypot(at[None] - across, at[:, None] - down).reshape(-1)
    colors = np.concatenate([look.colors.reshape(-1, 3) for look in looks])
    known = np.concatenate([look.known.reshape(-1) for look in looks]) > 0.9
    distance = np.tile(distance, len(looks))
    degrees = np.arange(int(IRIS_DEG) + 1)
    profile = np.zeros((len(degrees), 3))
    filled: list[int] = []
    of_iris = known & (distance < IRIS_DEG + 1.5)
    iris, away = colors[of_iris], distance[of_iris]
    for k in degrees:
        near = np.abs(away - k) < 1.5
        if near.sum() >= 4:
            profile[k] = middle(iris[near])
            filled.append(int(k))
    around = known & (distance > RING_DEG[0]) & (distance < 2.0 * RING_DEG[1])
    white = _white(colors, around)
    if not filled:
        filled, profile[0] = [0], 0.3 * white
    for channel in range(3):
        profile[:, channel] = np.interp(degrees, filled, profile[filled, channel])
    return profile.astype(np.float32), white.astype(np.float32)


def _white(
    colors: Float[np.ndarray, "n 3"], around: Bool[np.ndarray, "n"]
) -> Float[np.ndarray, "3"]:
    """The median of the brightest and least coloured around the iris: the rest is lids."""
    if not around.any():
        return np.full(3, 160.0)
    seen = colors[around]
    whiteness = 2.0 * seen.min(axis=1) - seen.max(axis=1)
    white = middle(seen[whiteness >= np.quantile(whiteness, 0.9)])
    pale = white.max() * (1.0 - MOST_COLOURED)
    return np.maximum(white, pale)
