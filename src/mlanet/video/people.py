"""The second pass: each person of a recording with one shape, and steady movements."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from mlanet.geometry import Camera, Pose, decode_pose
from mlanet.image import Crop, square_transform
from mlanet.morphable import MorphableModel
from mlanet.person import shown_well, view_mean, with_shape
from mlanet.reconstruction import Reconstruction
from mlanet.render import PosedHead
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
    recording: Recording, model: MorphableModel, camera: Camera, smooth: float
) -> list[FilmedPerson]:
    """The people of a recording who are seen long enough, by their first frames.

    Args:
        recording: of the whole film, or of its beginning.
        model: the face model of its coefficients.
        camera: the film's.
        smooth: strength of the smoother, in [0, 1].
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
        _person(number, rows, recording, model, camera, smooth) for number, rows in enumerate(kept)
    ]


def _person(
    number: int,
    rows: Int[np.ndarray, "n"],
    recording: Recording,
    model: MorphableModel,
    camera: Camera,
    smooth: float,
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
    expression = hold((len(rows), layout.expression), np.float32)
    pose = Pose(hold((len(rows), 3, 3), np.float64), hold((len(rows), 3), np.float64))
    for start in range(0, len(rows), POSED):
        part = slice(start, start + POSED)
        faces = recording.faces()[rows[part]]
        seen = layout.split(np.array(faces["vector"], dtype=np.float64))
        squares = np.array(faces["square_px"])
        found = poses_in_film(seen, layout.rotation, squares, identity, model, camera)
        expression[part] = seen.expression
        pose.rotation[part], pose.translation[part] = found.rotation, found.translation
    times_s = np.array(recording.frames()["time_s"][frames])
    raw = Motion(times_s, expression, pose)
    return FilmedPerson(
        number=number,
        model=model,
        camera=camera,
        identity=identity,
        albedo=albedo,
        rows=rows,
        frames=frames,
        confidence=confidence,
        raw=raw,
        motion=smoothed(raw, smooth, hold),
    )


def usual_square(person: FilmedPerson, recording: Recording) -> Float[np.ndarray, "4"]:
    """A square that holds the person's head in nearly all frames (left, top, right, bottom)."""
    squares = recording.column("square_px")[person.rows]
    centres, sides = (squares[:, :2] + squares[:, 2:]) / 2.0, squares[:, 2] - squares[:, 0]
    low, high = np.quantile(centres, [0.05, 0.95], axis=0)
    half = (float(np.max(high - low)) + HEAD_PER_SQUARE * float(np.median(sides))) / 2.0
    middle = (low + high) / 2.0
    return np.concatenate([middle - half, middle + half])


def best_frame(person: FilmedPerson, recording: Recording) -> int:
    """In which of a person's frames the face is seen best: large, from the front, at rest."""
    squares = recording.column("square_px")[person.rows]
    motion = person.motion
    merit = shown_well(
        motion.pose.euler_deg,
        squares[:, 2] - squares[:, 0],
        motion.expression,
        person.model.expression_names,
    )
    return int(np.argmax(person.confidence * merit))


def portrait(
    person: FilmedPerson, index: int, recording: Recording, frame: Frame, crop_size: int
) -> Reconstruction:
    """The person in one frame as a photo's reconstruction, which has a texture."""
    row = recording.faces()[person.rows[index]]
    seen = recording.layout.split(np.array(row["vector"], dtype=np.float64))
    transform = square_transform(np.array(row["square_px"]), crop_size)
    crop = Crop(np.zeros((crop_size, crop_size, 3), np.uint8), transform)
    kind = recording.layout.rotation
    face = Reconstruction(frame.image, None, crop, seen, kind, person.model)
    return with_shape(face, person.identity, person.albedo, expression_sd=0.0)


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
