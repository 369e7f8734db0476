"""People through the frames of a film: found once, followed, recognised when they come back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.detection import Detection, square_from_detection, turns_to_upright
from mlanet.geometry import box_iou
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor
from mlanet.video.cuts import CutDetector
from mlanet.video.encounters import Encounters
from mlanet.video.matching import assign
from mlanet.video.person import NUM_COLORS, Looks
from mlanet.video.track import Track, displacement, square_of
from mlanet.video.tracker_config import TrackerConfig


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFace:
    """A person in one frame.

    Attributes:
        number: the same in all frames, from zero in order of appearance, as far as is known by now.
        stretch: number of frames that surely show the same person, whose number may turn out to be
            another (`Tracker.numbers`).
        face: the network's answer in this frame; the person's own shape is `Tracker.person`.
        confidence: in [0, 1].
    """

    number: int
    stretch: int
    face: Reconstruction
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState:
    """What a tracker remembers: the lists are its own.

    Attributes:
        active: who is followed.
        lost: who was.
        is_cut: the last frame.
        encounters: numbers of people and stretches.
        detected_s: when the detector was asked last.
        looks_size: numbers in a person's `Looks`.
    """

    active: list[Track]
    lost: list[Track]
    is_cut: CutDetector
    encounters: Encounters
    detected_s: float
    looks_size: int


class Tracker:
    """Follows people from frame to frame.

        tracker = Tracker(Reconstructor.load())
        for image, time_s in frames:
            for tracked in tracker(image, time_s):
                print(tracked.number, tracked.face.expression["jawOpen"])

    A face is detected once; then each frame's square comes from the landmarks and the velocity of
    the frame before. The detector is asked again when a face is lost, looks different, jumps, or
    meets another one, and from time to time for people who are new. People who come back are
    recognised by place, identity, albedo and colours; after they met, once they are apart again
    (`mlanet.video.encounters`). Not for several threads.

    Attributes:
        reconstructor: detector, network and face model.
        config: when the detector is asked, and what counts as one person.
    """

    def __init__(self, reconstructor: Reconstructor, config: TrackerConfig | None = None) -> None:
        self.reconstructor = reconstructor
        self.config = config or TrackerConfig()
        self.cut = False
        """Whether a new scene began with the last frame."""
        self._encounters = Encounters(self.config)
        self._is_cut = CutDetector()
        self._active: list[Track] = []
        self._lost: list[Track] = []
        self._detected_s = -np.inf

    def __call__(self, image: UInt8[np.ndarray, "h w 3"], time_s: float) -> list[TrackedFace]:
        """The people in the next frame, an RGB picture, by number; `time_s` only grows."""
        self.cut = self._is_cut(image)
        if self.cut:
            for track in self._active + self._lost:
                track.placed = False
            self._lost += self._active
            self._active = []
        self._lost = [
            track for track in self._lost if time_s - track.time_s < self.config.remember_s
        ]
        faces = self._followed(image, time_s)
        doubtful = self._doubtful(faces)
        if doubtful.any() or self.cut or self._detection_due(time_s):
            found = self._detected(image, time_s, faces, doubtful)
        else:
            found = list(zip(self._active, faces, strict=True))
        self._encounters.meet(found, self._lost, time_s)
        confidences: list[float] = []
        for track, face in found:
            confidences.append(track.score * float(np.clip(track.resemblance(face), 0.0, 1.0)))
            track.see(face, time_s, confidences[-1])
        self._active = [track for track, _ in found]
        self._encounters.settle(self._active, self._lost, time_s)
        result = [
            TrackedFace(track.number, track.stretch, face, confidence)
            for (track, face), confidence in zip(found, confidences, strict=True)
        ]
        return sorted(result, key=lambda tracked: tracked.number)

    @property
    def numbers(self) -> list[int]:
        """Whose each stretch is, as far as is known by now."""
        return self._encounters.numbers

    def state(self) -> TrackerState:
        """All that the next answer depends on."""
        layout = self.reconstructor.regressor.config.layout
        size = layout.identity + layout.albedo + NUM_COLORS
        return TrackerState(
            self._active, self._lost, self._is_cut, self._encounters, self._detected_s, size
        )

    def resume(self, detected_s: float) -> None:
        """Go on as if the detector had been asked last then."""
        self._detected_s = detected_s

    def person(self, number: int) -> Looks:
        """What is known by now of a person: one identity and albedo.

        Raises:
            KeyError: nobody has this number, or the person is no longer remembered.
        """
        for track in self._active + self._lost:
            if track.number == number:
                return track.known.joined(track.fresh).looks
        raise KeyError(number)

    def _detection_due(self, time_s: float) -> bool:
        config = self.config
        recent = any(time_s - track.time_s < config.search_for_s for track in self._lost)
        interval = config.search_every_s if recent else config.detect_every_s
        return time_s - self._detected_s >= interval

    def _followed(self, image: UInt8[np.ndarray, "h w 3"], time_s: float) -> list[Reconstruction]:
        """What the network sees where the active tracks are expected."""
        if not self._active:
            return []
        squares = [track.square_at(time_s) for track in self._active]
        turns = [track.turns() for track in self._active]
        return self.reconstructor.predict_in_boxes(image, squares, turns)

    def _doubtful(self, faces: Sequence[Reconstruction]) -> np.ndarray:
        """Which followed faces may be none, or another's."""
        config = self.config
        doubtful = np.array(
            [
                track.resemblance(face) < config.least_resemblance
                or displacement(face) > config.most_displacement
                for track, face in zip(self._active, faces, strict=True)
            ],
            dtype=bool,
        )
        if len(faces) > 1:
            squares = np.stack([square_of(face) for face in faces])
            overlap = box_iou(squares, squares) - np.eye(len(faces))
            doubtful |= overlap.max(axis=1) > config.most_overlap
        return doubtful

    def _detected(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        time_s: float,
        faces: Sequence[Reconstruction],
        doubtful: np.ndarray,
    ) -> list[tuple[Track, Reconstruction]]:
        """Tracks and their faces once the detector has been asked."""
        self._detected_s = time_s
        detections = self.reconstructor.detect(image)[: self.config.max_people]
        squares = [square_from_detection(found) for found in detections]
        kept: list[tuple[Track, Reconstruction]] = []
        taken: set[int] = set()
        places = [
            track.square_at(time_s) if doubt else square_of(face)
            for track, face, doubt in zip(self._active, faces, doubtful, strict=True)
        ]
        for row, column in assign(self._following_cost(places, squares), 1.0):
            track, face = self._active[row], faces[row]
            track.score, track.missed = detections[column].score, 0
            if doubtful[row]:
                face = self._read(image, detections[column], squares[column])
            kept.append((track, face))
            taken.add(column)
        matched = {id(track) for track, _ in kept}
        for track, face, doubt in zip(self._active, faces, doubtful, strict=True):
            if id(track) in matched:
                continue
            track.missed += 1
            gone = doubt and not self._believable(track, face, kept)
            if gone or track.missed > self.config.max_missed:
                self._lost.append(track)
                self._encounters.part(self._active, track, time_s)
            else:
                self._detected_s = time_s + self.config.search_every_s - self.config.detect_every_s
                kept.append((track, face))
        others = [column for column in range(len(detections)) if column not in taken]
        others = [c for c in others if not _covered(squares[c], kept)]
        new = [self._read(image, detections[c], squares[c]) for c in others]
        return kept + self._recognised(new, [detections[c].score for c in others], time_s)

    def _believable(
        self,
        track: Track,
        face: Reconstruction,
        kept: Sequence[tuple[Track, Reconstruction]],
    ) -> bool:
        """Whether a doubtful face that the detector missed is the person's all the same."""
        config = self.config
        return (
            track.resemblance(face) >= config.least_resemblance
            and displacement(face) < config.most_displacement / 2.0
            and track.looks.distance(Looks.of(face)) < config.most_distance
            and not _covered(square_of(face), kept)
        )

    def _read(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        detection: Detection,
        square: Float[np.ndarray, "4"],
    ) -> Reconstruction:
        return self.reconstructor.predict_in_box(image, square, turns_to_upright(detection))

    def _following_cost(
        self,
        places: Sequence[Float[np.ndarray, "4"]],
        squares: Sequence[Float[np.ndarray, "4"]],
    ) -> Float[np.ndarray, "t d"]:
        """Cost of giving detections to active tracks: below 1 where they overlap enough.

        What they look like does not count: the face of somebody half hidden is partly another's.
        """
        if not places or not squares:
            return np.zeros((len(places), len(squares)))
        overlap = box_iou(np.stack(places), np.stack(squares))
        return np.where(overlap >= self.config.least_iou, 1.0 - overlap, 2.0)

    def _recognised(
        self, faces: Sequence[Reconstruction], scores: Sequence[float], time_s: float
    ) -> list[tuple[Track, Reconstruction]]:
        """Faces that nobody follows: people who come back, or new ones."""
        looks = [Looks.of(face) for face in faces]
        cost = np.array(
            [
                [
                    track.looks.distance(look) / self._encounters.allowed(track, face, time_s)
                    for face, look in zip(faces, looks, strict=True)
                ]
                for track in self._lost
            ]
        ).reshape(len(self._lost), len(faces))
        found: dict[int, Track] = {}
        for row, column in assign(cost, 1.0):
            found[column] = self._lost[row]
        back = {id(track) for track in found.values()}
        self._lost = [track for track in self._lost if id(track) not in back]
        result: list[tuple[Track, Reconstruction]] = []
        for column, (face, score) in enumerate(zip(faces, scores, strict=True)):
            track = found.get(column)
            if track is None:
                track = self._encounters.appear(face, time_s, score)
            else:
                self._encounters.begin(track, time_s)
                track.face, track.time_s, track.velocity = face, time_s, np.zeros(3)
            track.score, track.missed = score, 0
            result.append((track, face))
        return result


def _covered(square: Float[np.ndarray, "4"], kept: Sequence[tuple[Track, Reconstruction]]) -> bool:
    """Whether a detection shows a face that is followed already."""
    if not kept:
        return False
    squares = np.stack([square_of(face) for _, face in kept])
    return float(box_iou(squares, square[None]).max()) > 0.5
