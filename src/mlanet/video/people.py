"""The second pass: each person of a recording with one shape, and steady movements."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import Camera, Pose, decode_pose
from mlanet.morphable import MorphableModel
from mlanet.person import shown_well, view_mean
from mlanet.reconstruction import Reconstruction
from mlanet.render import PosedHead
from mlanet.video.keyframes import (
    Studied,
    TurnCorrection,
    calmness,
    choose_frames,
    cut_out,
    studied,
)
from mlanet.video.posing import landmarks_of, poses_in_film
from mlanet.video.reading import Film, Frame
from mlanet.video.recording import Recording
from mlanet.video.smoothing import Motion, smoothed

FOCAL_PER_LONG_SIDE = 1.2
"""Focal length over the picture's longer side where it is not known: 45°, as of webcams, phones
and most films. A face alone does not tell it."""

LEAST_S, LEAST_FRAMES = 0.2, 4
"""Who is seen for less is left out."""

SAMPLED = 2000
"""Frames at most that shape and albedo are taken from, spread over the film."""

CHUNK = 1024
"""Frames of tables that are worked on at a time."""

POSED = 128
"""Frames whose poses are found at a time."""

HEAD_PER_SQUARE = 1.7
"""Side of a picture of a whole head over that of its face's square."""


UNMOVED = slice(17, 48)
"""Landmarks of brows, nose and eyes: what a corrected head turns about."""


class FrameSource(Protocol):
    """Where frames are looked up: a film."""

    def frame_at(self, pts: int) -> Frame | None:
        """The frame of a time, if there is one."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FilmedPerson:
    """A person through a film: `n` frames in which they are seen.

    Attributes:
        number: from zero in order of appearance.
        model: the face model.
        camera: the film's.
        identity: one for all frames.
        albedo: one for all frames.
        rows: of the recording's faces.
        frames: numbers of the frames.
        confidence: in [0, 1].
        raw: as the network saw each frame, with the person's identity.
        motion: the same, smoothed.
        studied: the person in the frames that show them best, whose shape and albedo are theirs.
    """

    number: int
    model: MorphableModel
    camera: Camera
    identity: Float[np.ndarray, "i"]
    albedo: Float[np.ndarray, "a"]
    rows: Int[np.ndarray, "n"]
    frames: Int[np.ndarray, "n"]
    confidence: Float[np.ndarray, "n"]
    raw: Motion
    motion: Motion
    studied: Studied

    @property
    def name(self) -> str:
        """What the person's files are called."""
        return f"face_{self.number:02d}"

    def head(self, index: int) -> PosedHead:
        """The head in one of the person's frames."""
        pose = self.motion.pose
        vertices = self.model.vertices(self.identity, self.motion.expression[index])
        return PosedHead(
            self.model, vertices, Pose(pose.rotation[index], pose.translation[index]), self.camera
        )

    def landmarks(self, part: slice) -> Float[np.ndarray, "n 68 3"]:
        """Landmarks of some frames in the model frame, mm."""
        return landmarks_of(self.model, self.identity, self.motion.expression[part])


def film_camera(film: Film, focal_length_px: float | None = None) -> Camera:
    """A film's camera: it looks through the middle of the picture."""
    return middle_camera(film.size, focal_length_px)


def middle_camera(size: tuple[int, int], focal_length_px: float | None = None) -> Camera:
    """A camera that looks through the middle of pictures of a height and a width."""
    height, width = size
    focal = focal_length_px or FOCAL_PER_LONG_SIDE * max(size)
    return Camera(focal, (width / 2.0, height / 2.0))


def filmed_people(
    recording: Recording,
    model: MorphableModel,
    camera: Camera,
    smooth: float,
    film: FrameSource,
) -> list[FilmedPerson]:
    """The people of a recording who are seen long enough, by their first frames.

    A few frames of each are looked at again (`mlanet.video.keyframes`): shape and albedo come from
    their shading, and so does by how much the poses are off that landmarks alone say.

    Args:
        recording: of the whole film, or of its beginning.
        model: the face model of its coefficients.
        camera: the film's.
        smooth: strength of the smoother, in [0, 1].
        film: that was recorded.

    Raises:
        FilmError: the film cannot be opened any more.
        OSError: the disk is full.
    """
    numbers, of_frame, frames = recording.numbers(), recording.column("frame"), recording.frames()
    kept: list[np.ndarray] = []
    for number in np.unique(numbers):
        rows = np.flatnonzero(numbers == number)
        rows = rows[np.r_[True, np.diff(of_frame[rows]) > 0]]
        times_s = frames["time_s"][of_frame[rows]]
        if len(rows) >= LEAST_FRAMES and times_s[-1] - times_s[0] >= LEAST_S:
            kept.append(rows)
    kept.sort(key=lambda rows: int(rows[0]))
    return [
        _person(number, rows, recording, model, camera, smooth, film)
        for number, rows in enumerate(kept)
    ]


def _person(
    number: int,
    rows: Int[np.ndarray, "n"],
    recording: Recording,
    model: MorphableModel,
    camera: Camera,
    smooth: float,
    film: FrameSource,
) -> FilmedPerson:
    layout, hold = recording.layout, recording.scratch
    frames = recording.column("frame")[rows].astype(np.int64)
    confidence = recording.column("confidence")[rows].astype(np.float64)
    step = max(len(rows) // SAMPLED, 1)
    some = layout.split(np.array(recording.faces()["vector"][rows[::step]], dtype=np.float64))
    yaw_deg = decode_pose(some.rotation, some.translation, layout.rotation).euler_deg[:, 1]
    weight = confidence[::step] + 1e-3
    identity, albedo = (
        view_mean(values, yaw_deg, weight) for values in (some.identity, some.albedo)
    )
    times_s = np.array(recording.frames()["time_s"][frames])
    expression = hold((len(rows), layout.expression), np.float32)
    pose = Pose(hold((len(rows), 3, 3), np.float64), hold((len(rows), 3), np.float64))
    raw = Motion(times_s, expression, pose)
    _see(raw, rows, recording, identity, model, camera)
    chosen = _telling_frames(raw, rows, confidence, recording, model)
    faces = _looked_up(rows[chosen], recording, model, film)
    known = studied([face for _, face in faces], identity, albedo)
    if known.turns_deg is not None:
        _see(raw, rows, recording, known.identity, model, camera)
        keys = chosen[[place for place, _ in faces]]
        told = Pose(pose.rotation[keys], pose.translation[keys]).euler_deg[:, :2]
        neutral = model.landmarks(known.identity, np.zeros(layout.expression))
        _correct(pose, TurnCorrection(told, known.turns_deg), neutral[UNMOVED].mean(axis=0))
    return FilmedPerson(
        number=number,
        model=model,
        camera=camera,
        identity=known.identity,
        albedo=known.albedo,
        rows=rows,
        frames=frames,
        confidence=confidence,
        raw=raw,
        motion=smoothed(raw, smooth, hold),
        studied=known,
    )


def _see(
    motion: Motion,
    rows: Int[np.ndarray, "n"],
    recording: Recording,
    identity: Float[np.ndarray, "i"],
    model: MorphableModel,
    camera: Camera,
) -> None:
    """Write expressions and poses of a person's shape where the network saw them."""
    layout = recording.layout
    for start in range(0, len(rows), POSED):
        part = slice(start, start + POSED)
        faces = recording.faces()[rows[part]]
        seen = layout.split(np.array(faces["vector"], dtype=np.float64))
        squares = np.array(faces["square_px"])
        found = poses_in_film(seen, layout.rotation, squares, identity, model, camera)
        motion.expression[part] = seen.expression
        motion.pose.rotation[part] = found.rotation
        motion.pose.translation[part] = found.translation


def _correct(pose: Pose, correction: TurnCorrection, about_mm: Float[np.ndarray, "3"]) -> None:
    for start in range(0, len(pose.rotation), CHUNK):
        part = slice(start, start + CHUNK)
        found = correction.turned(Pose(pose.rotation[part], pose.translation[part]), about_mm)
        pose.rotation[part], pose.translation[part] = found.rotation, found.translation


def _telling_frames(
    motion: Motion,
    rows: Int[np.ndarray, "n"],
    confidence: Float[np.ndarray, "n"],
    recording: Recording,
    model: MorphableModel,
) -> Int[np.ndarray, "k"]:
    """Frames that tell most of a person: large, calm, at rest, from different sides."""
    squares = recording.column("square_px")[rows]
    angles = motion.pose.euler_deg
    merit = shown_well(
        angles, squares[:, 2] - squares[:, 0], motion.expression, model.expression_names
    )
    merit *= (confidence + 1e-3) * calmness(squares, motion.times_s)
    return choose_frames(merit, angles[:, :2])


def _looked_up(
    rows: Int[np.ndarray, "k"],
    recording: Recording,
    model: MorphableModel,
    film: FrameSource,
) -> list[tuple[int, Reconstruction]]:
    """The faces of some rows with their pictures, by place among the rows.

    Frames that cannot be read any more are left out; if none is there, the first is black.
    """
    faces = np.array(recording.faces()[rows])
    pts = recording.frames()["pts"][faces["frame"]]
    found = [(k, film.frame_at(int(each))) for k, each in enumerate(pts)]
    known = [(k, frame) for k, frame in found if frame is not None]
    if not known:
        side = int(np.ceil(faces["square_px"][0].max()))
        known = [(0, Frame(np.zeros((side, side, 3), np.uint8), 0, 0.0))]
    return [(k, _face(faces[k], frame, recording, model)) for k, frame in known]


def _face(
    row: np.ndarray, frame: Frame, recording: Recording, model: MorphableModel
) -> Reconstruction:
    """What the network saw of a face, with the picture around it."""
    layout = recording.layout
    seen = layout.split(np.array(row["vector"], dtype=np.float64))
    image, crop = cut_out(frame, np.array(row["square_px"]))
    confidence = float(row["confidence"])
    return Reconstruction(image, None, crop, seen, layout.rotation, model, confidence=confidence)


def usual_square(person: FilmedPerson, recording: Recording) -> Float[np.ndarray, "4"]:
    """A square that holds the person's head in nearly all frames (left, top, right, bottom)."""
    squares = recording.column("square_px")[person.rows]
    centres, sides = (squares[:, :2] + squares[:, 2:]) / 2.0, squares[:, 2] - squares[:, 0]
    low, high = np.quantile(centres, [0.05, 0.95], axis=0)
    half = (float(np.max(high - low)) + HEAD_PER_SQUARE * float(np.median(sides))) / 2.0
    middle = (low + high) / 2.0
    return np.concatenate([middle - half, middle + half])


def by_frame(
    people: list[FilmedPerson], num_frames: int
) -> Iterator[list[tuple[FilmedPerson, int]]]:
    """For each frame who is in it, and which of the person's frames it is."""
    places = [0] * len(people)
    for number in range(num_frames):
        present: list[tuple[FilmedPerson, int]] = []
        for k, person in enumerate(people):
            if places[k] < len(person.frames) and person.frames[places[k]] == number:
                present.append((person, places[k]))
                places[k] += 1
        yield present
