"""Films of an avatar that performs, drawn by our own renderer."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.export import Animation
from mlanet.geometry import between
from mlanet.video.reading import Film, Frame
from mlanet.video.results import Progress, ahead
from mlanet.video.stage import Stage
from mlanet.video.writing import film_like

TIME_BASE = Fraction(1, 90_000)

LEAST_RATE, MOST_RATE = 12, 30
"""Frames per second."""

SWING_DEG, SWING_S = 50.0, 8.0
"""How far the camera goes to either side, and how long there and back takes."""

VIEWS: dict[str, Callable[[float], float]] = {
    "front": lambda time_s: 0.0,
    "turntable": lambda time_s: SWING_DEG * float(np.sin(2.0 * np.pi * time_s / SWING_S)),
}
"""Films by name: how far around the head the camera is at a time, degrees to the viewer's right."""


BESIDE = "beside"
"""The film that has the driver's beside the avatar."""


@dataclass(frozen=True)
class Played:
    """A performance at any time: before the first key as in it, after the last as in that."""

    animation: Animation

    def at(
        self, time_s: float
    ) -> tuple[Float[np.ndarray, "e"], Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
        """Weights, rotation and offset, between keys as glTF's players have them."""
        times_s = self.animation.times_s
        before = int(np.clip(np.searchsorted(times_s, time_s, "right") - 1, 0, len(times_s) - 1))
        after = min(before + 1, len(times_s) - 1)
        gap = times_s[after] - times_s[before]
        share = float(np.clip((time_s - times_s[before]) / gap, 0.0, 1.0)) if gap else 0.0
        expression, offset = (
            (1.0 - share) * values[before] + share * values[after]
            for values in (self.animation.expression, self.animation.offset_mm)
        )
        return expression, self._rotation(before, after, share), offset

    def _rotation(self, before: int, after: int, share: float) -> Float[np.ndarray, "3 3"]:
        if before == after:
            return self.animation.rotation[before]
        return between(self.animation.rotation[before], self.animation.rotation[after], share)


@dataclass(frozen=True)
class AvatarFilm:
    """What films of a performance have in common.

    Attributes:
        stage: the avatar and its studio.
        animation: what it does.
        driver: the film that it was taken from, which gives the sound; None where it came from a
            table.
        square_px: the driver's face in that film through all its frames (left, top, right,
            bottom).
    """

    stage: Stage
    animation: Animation
    driver: Film | None = None
    square_px: Float[np.ndarray, "4"] | None = None

    @property
    def views(self) -> tuple[str, ...]:
        """Names of the films that there can be."""
        return (*VIEWS, *([] if self.square_px is None else [BESIDE]))

    @cached_property
    def times_s(self) -> Float[np.ndarray, "m"]:
        """Of the frames, even: at the driver's usual rate, at most 30 a second."""
        times_s = self.animation.times_s
        usual = float(np.median(np.diff(times_s))) if len(times_s) > 1 else 1.0 / MOST_RATE
        rate = round(float(np.clip(1.0 / usual, LEAST_RATE, MOST_RATE)))
        return np.arange(int(times_s[-1] * rate) + 1) / rate

    def write(self, path: Path, view: str, progress: Progress) -> bool:
        """Write the film of one of the `views`: H.264 in MP4, with the driver's sound.

        However it ends, what was written can be played.

        Args:
            path: where to.
            view: how the camera moves; of `beside`, the driver's film is at the left.
            progress: called with the number of frames done; says whether to go on.

        Returns:
            Whether the film is whole.

        Raises:
            FilmError: the driver's film cannot be opened any more.
            OSError: it cannot be written.
        """
        height, width = self.stage.size
        shape, draw, moments = (height, width), self._shot(view), iter(self.times_s)
        if view == BESIDE:
            assert self.driver is not None
            shape, moments = (height, 2 * width), self.driver.frames()
        described = self._described(path, shape)
        with film_like(described, path) as writer, ThreadPoolExecutor(2) as pool:
            for number, (image, time_s) in enumerate(ahead(pool, draw, moments)):
                pts = described.start_pts + round(Fraction(time_s) / TIME_BASE)
                writer.write(image, pts)
                if not progress(number + 1):
                    return False
        return True

    def _described(self, path: Path, size: tuple[int, int]) -> Film:
        """A film of this size, with the driver's sound."""
        steps = np.diff(self.times_s)
        rate = Fraction(round(1.0 / float(steps[0])) if len(steps) else MOST_RATE)
        film = Film(path, size, TIME_BASE, 0, rate, 0, has_audio=False)
        if self.driver is None:
            return film
        start = round(self.driver.start_pts * self.driver.time_base / TIME_BASE)
        return replace(
            film, path=self.driver.path, start_pts=start, has_audio=self.driver.has_audio
        )

    def _shot(self, view: str) -> Callable[[Any], tuple[UInt8[np.ndarray, "h w 3"], float]]:
        """What draws a moment, or of `beside` a frame of the driver's; and its time."""
        played, turn = Played(self.animation), VIEWS.get(view, VIEWS["front"])

        def draw(moment: float) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
            time_s = float(moment)
            return self.stage.draw(*played.at(time_s), turn(time_s)), time_s

        def draw_beside(frame: Frame) -> tuple[UInt8[np.ndarray, "h w 3"], float]:
            image, time_s = draw(frame.time_s)
            assert self.square_px is not None
            return np.hstack([_cut(frame.image, self.square_px, self.stage.size), image]), time_s

        return draw_beside if view == BESIDE else draw


def _cut(
    image: UInt8[np.ndarray, "h w 3"], square_px: Float[np.ndarray, "4"], size: tuple[int, int]
) -> UInt8[np.ndarray, "h w 3"]:
    """The part of a picture around a square that has a shape and lies inside, at some size."""
    import cv2

    height, width = image.shape[:2]
    scale = min((square_px[2] - square_px[0]) / size[1], height / size[0], width / size[1])
    wide, high = (max(int(scale * side), 1) for side in (size[1], size[0]))
    x, y = (square_px[:2] + square_px[2:]) / 2.0
    left = int(np.clip(x - wide / 2.0, 0, width - wide))
    top = int(np.clip(y - high / 2.0, 0, height - high))
    part = image[top : top + high, left : left + wide]
    way = cv2.INTER_AREA if scale > 1.0 else cv2.INTER_CUBIC
    return cv2.resize(part, size[::-1], interpolation=way)
