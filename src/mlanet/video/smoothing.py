"""Less tremble without lag: One-Euro filters for live pictures, a zero-phase smoother for files.

Both leave fast movements alone, so that a blink stays a blink.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float

from mlanet.geometry import (
    Pose,
    continuous,
    matrix_from_quaternion,
    matrix_from_vector,
    quaternion_from_matrix,
    vector_from_matrix,
)

DEFAULT_SMOOTH = 0.5
"""Of `--smooth`, between 0 (none) and 1."""

WIDEST_S = 0.7
"""Half of the longest stretch that a file's smoother averages, at a strength of 1."""

TOLERANCE = 6.0
"""How many standard deviations of its noise the smoother allows a value to be moved by beyond what
shorter stretches say, at a strength of 1."""

MOST_GAP_S = 0.25
"""Nothing is averaged over gaps longer than this."""

CHUNK = 1024
"""Frames whose rotations are worked out at a time."""

Hold = Callable[[tuple[int, ...], type[np.floating]], np.ndarray]
"""Makes an array for a shape and a type of numbers, which may lie on disk."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What a person does in `n` frames: the part of a track that is smoothed.

    Attributes:
        times_s: of the frames, increasing.
        expression: weights.
        pose: model to the film's camera, mm.
    """

    times_s: Float[np.ndarray, "n"]
    expression: Float[np.ndarray, "n e"]
    pose: Pose


def smoothed(motion: Motion, strength: float = DEFAULT_SMOOTH, hold: Hold = np.zeros) -> Motion:
    """The motion without its tremble, as `zero_phase` smooths; 0 gives it back as it is.

    Args:
        motion: of one person.
        strength: in [0, 1].
        hold: where the result is kept.

    Raises:
        ValueError: the strength is not in [0, 1].
    """
    _check_strength(strength)
    count = len(motion.times_s)
    if strength == 0.0 or not count:
        return motion
    parts = [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
    rotation, place = motion.pose.rotation, motion.pose.translation
    seen = [_sight(Pose(rotation[part], place[part])) for part in parts]
    exact = (rotation[part].astype(np.float64) for part in parts)
    turns = np.concatenate([quaternion_from_matrix(each) for each in exact])
    turned = zero_phase(continuous(turns), motion.times_s, strength)
    sight = zero_phase(np.concatenate(seen), motion.times_s, strength)
    pose = Pose(hold(rotation.shape, np.float64), hold(place.shape, np.float64))
    for part in parts:
        calm = _seen_at(sight[part], matrix_from_quaternion(turned[part]))
        pose.rotation[part], pose.translation[part] = calm.rotation, calm.translation
    expression = zero_phase(motion.expression, motion.times_s, strength, hold)
    low, high = motion.expression.min(axis=0), motion.expression.max(axis=0)
    np.clip(expression, low, high, out=expression)  # nothing leaves the range of what was seen
    return Motion(motion.times_s, expression, pose)


def zero_phase(
    values: Float[np.ndarray, "n c"],
    times_s: Float[np.ndarray, "n"],
    strength: float,
    hold: Hold = np.zeros,
) -> Float[np.ndarray, "n c"]:
    """Columns smoothed by straight lines through stretches around each sample.

    Each sample gets the longest stretch, symmetric in time, whose line agrees with those of all
    shorter ones within the noise: long where nothing happens, the sample alone in a blink. (The
    intersection of confidence intervals: Goldenshluger and Nemirovski, 1997; Katkovnik, 1999.)
    The noise is each column's own.

    Args:
        values: one column for each quantity.
        times_s: increasing, the steps may differ.
        strength: in [0, 1], for the longest stretch and for what counts as noise.
        hold: where the result is kept, in the precision of the values.
    """
    result = hold(values.shape, values.dtype.type)
    breaks = np.flatnonzero(np.diff(times_s) > MOST_GAP_S) + 1
    ends = [0, *breaks.tolist(), len(times_s)]
    for column in range(values.shape[1]):
        whole = np.array(values[:, column], dtype=np.float64)
        for start, stop in pairwise(ends):
            if stop - start > 2 and strength > 0.0:
                part = slice(start, stop)
                whole[part] = _smooth_column(whole[part], times_s[part], strength)
        result[:, column] = whole
    return result


def _smooth_column(
    values: Float[np.ndarray, "n"], times_s: Float[np.ndarray, "n"], strength: float
) -> Float[np.ndarray, "n"]:
    tolerance = TOLERANCE * strength * _noise(values, times_s)
    if tolerance == 0.0:
        return values
    result, low, high = values, values - tolerance, values + tolerance
    agrees = np.ones(len(values), dtype=bool)
    for half_s in _half_widths(times_s, WIDEST_S * strength):
        line, spread = _lines(values, times_s, half_s)
        low = np.maximum(low, line - tolerance * spread)
        high = np.minimum(high, line + tolerance * spread)
        agrees &= low <= high
        result = np.where(agrees, line, result)
    return result


def _half_widths(times_s: Float[np.ndarray, "n"], widest_s: float) -> Float[np.ndarray, "k"]:
    """From one frame on, each longer by about 1.4."""
    frame_s = float(np.median(np.diff(times_s)))
    count = max(int(np.ceil(2.0 * np.log2(max(widest_s / frame_s, 1.0)))), 0) + 1
    return np.minimum(1.01 * frame_s * 2.0 ** (0.5 * np.arange(count)), max(widest_s, frame_s))


def _noise(values: Float[np.ndarray, "n"], times_s: Float[np.ndarray, "n"]) -> float:
    """Standard deviation of a column's noise, robustly.

    By what samples are off the line between their neighbours, and that again, so that neither
    slopes nor bends count.
    """
    if len(values) < 5:
        return 0.0
    before = (times_s[2:] - times_s[1:-1]) / (times_s[2:] - times_s[:-2])
    after = 1.0 - before
    off = values[1:-1] - before * values[:-2] - after * values[2:]
    a, b = before[1:-1], after[1:-1]
    off = off[1:-1] - a * off[:-2] - b * off[2:]
    middle = 1.0 + a * after[:-2] + b * before[2:]
    gain = (a * before[:-2]) ** 2 + (b * after[2:]) ** 2 + 4.0 * (a**2 + b**2) + middle**2
    return float(np.median(np.abs(off / np.sqrt(gain)))) / 0.6745


def _lines(
    values: Float[np.ndarray, "n"], times_s: Float[np.ndarray, "n"], half_s: float
) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Value at each sample of the line through those within `half_s`, and its deviation over one's.

    Towards the ends the stretch becomes shorter, and stays symmetric: there is no drift.
    """
    reach = np.minimum(half_s, np.minimum(times_s - times_s[0], times_s[-1] - times_s) + 1e-9)
    first = np.searchsorted(times_s, times_s - reach - 1e-9)
    last = np.searchsorted(times_s, times_s + reach + 1e-9)
    t = times_s - times_s.mean()

    def total(each: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        sums = np.concatenate([[0.0], np.cumsum(each)])
        return sums[last] - sums[first]

    count, ty, y = (last - first).astype(np.float64), total(t * values), total(values)
    s1, s2 = total(t) - count * t, total(t * t) - 2.0 * t * total(t) + count * t * t
    ty = ty - t * y
    divisor = count * s2 - s1 * s1
    alone = (count < 3) | (divisor <= 1e-12)
    divisor = np.where(alone, 1.0, divisor)
    line = np.where(alone, values, (s2 * y - s1 * ty) / divisor)
    return line, np.where(alone, 1.0, np.sqrt(np.maximum(s2 / divisor, 0.0)))


@dataclass(frozen=True, slots=True)
class OneEuro:
    """Parameters of a One-Euro filter (Casiez, Roussel and Vogel, CHI 2012) in physical units.

    Attributes:
        still_hz: cut-off frequency at rest; lower is calmer.
        per_speed: by how many hertz the cut-off rises per unit and second of speed.
        speed_hz: cut-off frequency of the speed's own filter.
    """

    still_hz: float
    per_speed: float
    speed_hz: float = 1.5


EXPRESSION = OneEuro(still_hz=0.2, per_speed=3.0, speed_hz=8.0)
"""Speed in weights per second: a blink closes at 16 per second."""

ROTATION = OneEuro(still_hz=0.05, per_speed=0.15, speed_hz=0.2)
"""Speed in degrees per second."""

DIRECTION = OneEuro(still_hz=0.1, per_speed=1.5, speed_hz=0.3)
"""Speed of the face over the picture, in degrees per second as the camera sees them."""

DEPTH = OneEuro(still_hz=0.05, per_speed=0.01, speed_hz=0.5)
"""Speed in thousandths of the distance per second."""

FACE_MM = (0.0, -20.0, 90.0)
"""The middle of a face in the model frame. Where it is in the picture is known far better than how
the head is turned and how far away it is; filtered apart, it hardly lags behind."""


class LiveSmoother:
    """One person's motion, smoothed frame by frame; nothing is held back.

    Args:
        strength: in [0, 1]; the filters' parameters are those of 0.5.

    Raises:
        ValueError: the strength is not in [0, 1].
    """

    def __init__(self, strength: float = DEFAULT_SMOOTH) -> None:
        _check_strength(strength)
        self._strength = strength
        self._before: Motion | None = None
        self._speeds: list[np.ndarray] = []

    def __call__(self, motion: Motion) -> Motion:
        """The next frame: a motion of one frame, later than the one before."""
        before, self._before = self._before, motion
        if before is None or self._strength == 0.0:
            self._speeds = [np.zeros(n) for n in (motion.expression.shape[1], 3, 2, 1)]
            return motion
        elapsed = float(motion.times_s[0] - before.times_s[0])
        if not 0.0 < elapsed <= MOST_GAP_S:
            return motion
        turn = motion.pose.rotation[0] @ before.pose.rotation[0].T
        old, new = _sight(before.pose), _sight(motion.pose)
        expression, turned, moved, farther = self._followed(
            (
                (motion.expression[0] - before.expression[0], EXPRESSION),
                (np.degrees(vector_from_matrix(turn.astype(np.float64))), ROTATION),
                (new[0, :2] - old[0, :2], DIRECTION),
                (new[0, 2:] - old[0, 2:], DEPTH),
            ),
            elapsed,
        )
        rotation = matrix_from_vector(np.radians(turned)) @ before.pose.rotation
        pose = _seen_at(old + np.concatenate([moved, farther]), rotation)
        self._before = Motion(motion.times_s, before.expression + expression, pose)
        return self._before

    def _followed(
        self, steps: Sequence[tuple[np.ndarray, OneEuro]], elapsed_s: float
    ) -> list[np.ndarray]:
        """The part of each step that is taken; weights are filtered one by one."""
        taken: list[np.ndarray] = []
        for k, (step, filters) in enumerate(steps):
            share = _share(filters.speed_hz, elapsed_s)
            self._speeds[k] = self._speeds[k] + share * (step / elapsed_s - self._speeds[k])
            speed = np.abs(self._speeds[k]) if k == 0 else np.linalg.norm(self._speeds[k])
            calm = filters.still_hz * 4.0 ** (1.0 - 2.0 * self._strength)
            taken.append(_share(calm + filters.per_speed * speed, elapsed_s) * step)
        return taken


def _sight(pose: Pose) -> Float[np.ndarray, "n 3"]:
    """Where a camera sees the face: two angles in degrees, and 1000 times the log of its depth."""
    face = pose.rotation @ FACE_MM + pose.translation
    depth = np.maximum(face[:, 2:], 1.0)
    return np.concatenate([np.degrees(np.arctan(face[:, :2] / depth)), 1e3 * np.log(depth)], axis=1)


def _seen_at(sight: Float[np.ndarray, "n 3"], rotation: Float[np.ndarray, "n 3 3"]) -> Pose:
    """The poses of heads that are turned so, and whose faces are seen there."""
    depth = np.exp(sight[:, 2:] / 1e3)
    ray = np.concatenate([np.tan(np.radians(sight[:, :2])), np.ones_like(depth)], axis=1)
    return Pose(rotation, ray * depth - rotation @ FACE_MM)


def _share(cutoff_hz: np.ndarray | float, elapsed_s: float) -> np.ndarray:
    """Of a new value in the low-pass filter's next one."""
    rate = 2.0 * np.pi * np.asarray(cutoff_hz) * elapsed_s
    return rate / (1.0 + rate)


def _check_strength(strength: float) -> None:
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"smooth must be in [0, 1], got {strength}")
