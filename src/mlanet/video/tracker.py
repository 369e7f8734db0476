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
from mlanet.video.matching import assign
from mlanet.video.person import NUM_COLORS, Looks
from mlanet.video.track import Track, displacement, square_of


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """When the detector is asked, and what counts as one person.

    Attributes:
        detect_every_s: new people are looked for so often.
        search_every_s: so often while somebody is lost who was seen in the last `search_for_s`.
        search_for_s: how long people who were lost are searched for in short intervals.
        remember_s: how long people are remembered who are not seen.
        least_resemblance: correlation of a face's pictures in two frames; below it the detector
            is asked.
        most_displacement: how far a face may be off the square that it was expected in, in sides.
        most_overlap: of two faces' squares; above it the detector is asked who is there.
        least_iou: of a detection's square and that of the track it belongs to.
        most_distance: of a face that comes back from what is known of the person (`Looks`).
        nearby: how many times that is allowed where the person was just lost: hardly ever does
            somebody new appear there, and faces that are still half hidden look unlike themselves.
        second_thought_s: people seen for so long are compared once more, by then better known,
            with those who were lost.
        max_missed: detections in a row that may miss a face which is followed.
        max_people: at once.
    """

    detect_every_s: float = 1.0
    search_every_s: float = 0.1
    search_for_s: float = 2.0
    remember_s: float = 120.0
    least_resemblance: float = 0.4
    most_displacement: float = 0.3
    most_overlap: float = 0.3
    least_iou: float = 0.3
    most_distance: float = 6.0
    nearby: float = 3.0
    second_thought_s: float = 0.4
    max_missed: int = 1
    max_people: int = 16


@dataclass(frozen=True, slots=True, eq=False)
class TrackedFace:
    """A person in one frame.

    Attributes:
        number: the same in all frames, from zero in order of appearance.
        face: the network's answer in this frame; the person's own shape is `Tracker.person`.
        confidence: in [0, 1].
    """

    number: int
    face: Reconstruction
    confidence: float


@dataclass(frozen=True, slots=True, eq=False)
class TrackerState:
    """What a tracker remembers: the lists are its own.

    Attributes:
        active: who is followed.
        lost: who was.
        is_cut: the last frame.
        people: numbers given so far.
        detected_s: when the detector was asked last.
        looks_size: numbers in a person's `Looks`.
    """

    active: list[Track]
    lost: list[Track]
    is_cut: CutDetector
    people: int
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
    recognised by place, identity, albedo and colours. Not for several threads.

    Attributes:
        reconstructor: detector, network and face model.
        config: when the detector is asked, and what counts as one person.
    """

    def __init__(self, reconstructor: Reconstructor, config: TrackerConfig | None = None) -> None:
        self.reconstructor = reconstructor
        self.config = config or TrackerConfig()
        self.cut = False
        """Whether a new scene began with the last frame."""
        self.renamed: dict[int, int] = {}
        """Numbers that turned out, on second thought, to be those of people known before."""
        self._is_cut = CutDetector()
        self._active: list[Track] = []
        self._lost: list[Track] = []
        self._people = 0
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
        result: list[TrackedFace] = []
        for track, face in found:
            confidence = track.score * float(np.clip(track.resemblance(face), 0.0, 1.0))
            track.see(face, time_s, confidence)
            result.append(TrackedFace(track.number, face, confidence))
        self._active = [track for track, _ in found]
        self._think_again(time_s)
        return sorted(result, key=lambda tracked: tracked.number)

    def state(self) -> TrackerState:
        """All that the next answer depends on."""
        layout = self.reconstructor.regressor.config.layout
        size = layout.identity + layout.albedo + NUM_COLORS
        return TrackerState(
            self._active, self._lost, self._is_cut, self._people, self._detected_s, size
        )

    def resume(self, people: int, detected_s: float) -> None:
        """Go on with so many numbers given, and the detector last asked then."""
        self._people, self._detected_s = people, detected_s

    def person(self, number: int) -> Looks:
        """What is known by now of a person: one identity and albedo.

        Raises:
            KeyError: nobody has this number, or the person is no longer remembered.
        """
        for track in self._active + self._lost:
            if track.number == self.renamed.get(number, number):
                return track.person.looks
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
        seen = self._seen(image, detections, squares, faces, doubtful)
        places = [
            track.square_at(time_s) if doubt else square_of(face)
            for track, face, doubt in zip(self._active, faces, doubtful, strict=True)
        ]
        for row, column in assign(self._following_cost(places, squares, seen), 1.0):
            track = self._active[row]
            track.score, track.missed = detections[column].score, 0
            again = seen.get(column)
            kept.append((track, again if doubtful[row] and again is not None else faces[row]))
            taken.add(column)
        matched = {id(track) for track, _ in kept}
        for track, face, doubt in zip(self._active, faces, doubtful, strict=True):
            if id(track) in matched:
                continue
            track.missed += 1
            gone = doubt and not self._believable(track, face, kept)
            if gone or track.missed > self.config.max_missed:
                self._lost.append(track)
            else:
                self._detected_s = time_s + self.config.search_every_s - self.config.detect_every_s
                kept.append((track, face))
        others = [column for column in range(len(detections)) if column not in taken]
        others = [c for c in others if not _covered(squares[c], kept)]
        new = [seen.get(c) or self._read(image, detections[c], squares[c]) for c in others]
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
            and track.person.looks.distance(Looks.of(face)) < config.most_distance
            and not _covered(square_of(face), kept)
        )

    def _read(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        detection: Detection,
        square: Float[np.ndarray, "4"],
    ) -> Reconstruction:
        return self.reconstructor.predict_in_box(image, square, turns_to_upright(detection))

    def _seen(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        detections: Sequence[Detection],
        squares: Sequence[Float[np.ndarray, "4"]],
        faces: Sequence[Reconstruction],
        doubtful: np.ndarray,
    ) -> dict[int, Reconstruction]:
        """The network's answers for detections near doubtful tracks, by number."""
        near: dict[int, Reconstruction] = {}
        for column, square in enumerate(squares):
            own = [square_of(face) for face, doubt in zip(faces, doubtful, strict=True) if doubt]
            if own and box_iou(np.stack(own), square[None]).max() > 0.0:
                near[column] = self._read(image, detections[column], square)
        return near

    def _following_cost(
        self,
        places: Sequence[Float[np.ndarray, "4"]],
        squares: Sequence[Float[np.ndarray, "4"]],
        seen: dict[int, Reconstruction],
    ) -> Float[np.ndarray, "t d"]:
        """Cost of giving detections to active tracks: below 1 where they overlap enough.

        Where the network has looked at a detection anew, half of it is how unlike it is the person.
        """
        if not places or not squares:
            return np.zeros((len(places), len(squares)))
        overlap = box_iou(np.stack(places), np.stack(squares))
        cost = np.where(overlap >= self.config.least_iou, 0.5 * (1.0 - overlap), 2.0)
        for column, face in seen.items():
            looks = Looks.of(face)
            for row, track in enumerate(self._active):
                unlike = track.person.looks.distance(looks) / self.config.most_distance
                cost[row, column] += 0.5 * min(unlike, 1.0)
        return cost

    def _recognised(
        self, faces: Sequence[Reconstruction], scores: Sequence[float], time_s: float
    ) -> list[tuple[Track, Reconstruction]]:
        """Faces that nobody follows: people who come back, or new ones."""
        looks = [Looks.of(face) for face in faces]
        cost = np.array(
            [
                [
                    track.person.looks.distance(look) / self._allowed(track, face, time_s)
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
                track = Track(self._people, face, time_s, score, born_s=time_s)
                self._people += 1
            else:
                track.face, track.time_s, track.velocity = face, time_s, np.zeros(3)
            track.score, track.missed, track.placed = score, 0, True
            result.append((track, face))
        return result

    def _allowed(self, track: Track, face: Reconstruction, time_s: float) -> float:
        """How unlike a lost person a face may be that is theirs: more, near the last place."""
        config = self.config
        if not track.placed:
            return config.most_distance
        left, seen = square_of(track.face), square_of(face)
        moved = (seen[:2] + seen[2:] - left[:2] - left[2:]) / 2.0
        away = float(np.hypot(*moved)) / (left[2] - left[0])
        gone_s = time_s - track.time_s
        near = np.exp(-away / (0.5 + 2.0 * gone_s) - gone_s / config.search_for_s)
        return config.most_distance * (1.0 + (config.nearby - 1.0) * float(near))

    def _think_again(self, time_s: float) -> None:
        """Give young tracks the number of a lost person whom they turn out to be."""
        config = self.config
        young = [
            track
            for track in self._active
            if not track.settled and time_s - track.born_s >= config.second_thought_s
        ]
        for track in young:
            track.settled = True
        known = [track for track in self._lost if track.settled]
        cost = np.array(
            [
                [
                    track.person.looks.distance(old.person.looks)
                    / self._allowed(old, track.face, track.time_s)
                    if old.time_s < track.born_s
                    else np.inf
                    for old in known
                ]
                for track in young
            ]
        ).reshape(len(young), len(known))
        for row, column in assign(cost, 1.0):
            track, old = young[row], known[column]
            self.renamed[track.number] = old.number
            track.number, track.person = old.number, old.person.joined(track.person)
            self._lost.remove(old)


def _covered(square: Float[np.ndarray, "4"], kept: Sequence[tuple[Track, Reconstruction]]) -> bool:
    """Whether a detection shows a face that is followed already."""
    if not kept:
        return False
    squares = np.stack([square_of(face) for _, face in kept])
    return float(box_iou(squares, square[None]).max()) > 0.5
