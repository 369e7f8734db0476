"""One person's way through a film, as far as it is known."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from mlanet.detection import Detection, turns_to_upright
from mlanet.geometry import bounding_box
from mlanet.image import square_from_landmarks
from mlanet.reconstruction import Reconstruction
from mlanet.video.cuts import correlation
from mlanet.video.person import Looks, Person

STILL = 0.02
"""The square stays as it was if it would move or grow by less than this part of its side: what
the network sees of a face that keeps still then changes by the camera's noise alone."""

FRESH = 0.5
"""Share of the newest frame in the velocity."""

THUMB_PX = 32


@dataclass(slots=True, eq=False)
class Track:
    """A person who is seen, or was.

    Attributes:
        number: stays the same as long as the person is recognised.
        face: the network's answer when the person was last seen, without the frame.
        time_s: when that was.
        score: of the last detection.
        velocity: of the face's square: of its centre in sides per second, and of the logarithm of
            its side per second.
        known: what was seen of the person while there was no doubt who it is.
        fresh: what was seen since; nothing of it was near anybody else once they are `apart_s`.
        missed: detections in a row that did not find the person.
        placed: whether the last place tells where the person may be: not after a cut, until it is
            settled who it is.
        stretch: number of the frames since `since_s`, all of which show the same person.
        since_s: when the person appeared, or met somebody.
        apart_s: since when nobody else is near; infinite while somebody is.
        settled: whether there is no doubt who it is.
    """

    number: int
    face: Reconstruction
    time_s: float
    score: float
    velocity: Float[np.ndarray, "3"] = field(default_factory=lambda: np.zeros(3))
    known: Person = field(default_factory=Person)
    fresh: Person = field(default_factory=Person)
    missed: int = 0
    placed: bool = True
    stretch: int = 0
    since_s: float = 0.0
    apart_s: float = np.inf
    settled: bool = False

    @property
    def looks(self) -> Looks:
        """By what the person is recognised: what is certain, if anything is."""
        return (self.known if self.known.known else self.fresh).looks

    def square_at(self, time_s: float) -> Float[np.ndarray, "4"]:
        """Where the face's square is expected (left, top, right, bottom; pixels)."""
        x, y, log_side = _place(square_of(self.face))
        moved = self.velocity * (time_s - self.time_s)
        side = np.exp(log_side)
        square = _square(x + moved[0] * side, y + moved[1] * side, log_side + moved[2])
        seen = self.face.crop.square_px
        still = np.abs(square - seen).max() < STILL * side
        return seen if still else square

    def turns(self) -> int:
        """Quarter turns that bring the face nearest to upright."""
        return turns_to_upright(as_detection(self.face))

    def see(self, face: Reconstruction, time_s: float, confidence: float) -> None:
        """Go on with the face of a newer frame."""
        elapsed = time_s - self.time_s
        if elapsed > 0.0:
            old, new = _place(square_of(self.face)), _place(square_of(face))
            moved = (new - old) / elapsed
            moved[:2] /= np.exp(old[2])
            self.velocity = self.velocity + FRESH * (moved - self.velocity)
        self.face, self.time_s = replace(face, image=face.crop.image), time_s  # frames are large
        person = self.known if self.settled else self.fresh
        person.add(Looks.of(face), float(face.euler_deg[1]), confidence)

    def resemblance(self, face: Reconstruction) -> float:
        """Correlation of the face's picture with the last one, in [-1, 1]."""
        return correlation(_thumb(self.face), _thumb(face))


def square_of(face: Reconstruction) -> Float[np.ndarray, "4"]:
    """The square that crops of this face are cut from, by its landmarks."""
    return square_from_landmarks(face.landmarks_px)


def as_detection(face: Reconstruction, score: float = 1.0) -> Detection:
    """A face as a detector would have said it."""
    points = face.landmarks_px[:, :2].astype(np.float64)
    eyes, mouth = (points[36:42].mean(0), points[42:48].mean(0)), (points[48], points[54])
    return Detection(bounding_box(points), np.stack([*eyes, points[30], *mouth]), score)


def displacement(face: Reconstruction) -> float:
    """How far a face is off the middle and the size of the crop it was seen in, in sides."""
    seen, found = _place(face.crop.square_px), _place(square_of(face))
    off = np.abs(found - seen)
    return float(max(np.hypot(*(found - seen)[:2]) / np.exp(seen[2]), off[2]))


def _thumb(face: Reconstruction) -> Float[np.ndarray, "n"]:
    import cv2

    small = cv2.resize(face.crop.image, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA)
    return small.mean(axis=2).reshape(-1).astype(np.float32)


def _place(square: Float[np.ndarray, "4"]) -> Float[np.ndarray, "3"]:
    """Centre and logarithm of the side."""
    x, y = (square[:2] + square[2:]) / 2.0
    return np.array([x, y, np.log(square[2] - square[0])])


def _square(x: float, y: float, log_side: float) -> Float[np.ndarray, "4"]:
    half = float(np.exp(log_side)) / 2.0
    return np.array([x - half, y - half, x + half, y + half])
