"""Sets of pictures that heads learn from, and around which points they are cropped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from mlanet.datasets import FaceCrops, SkippedSamples, TarIndex
from mlanet.datasets.archive import load_arrays
from mlanet.datasets.people import unseen_people
from mlanet.errors import DataError
from mlanet.files import list_files
from mlanet.image import read_image
from rebase_weights.teacher import Teacher

LABELLED = "aflw_train"
"""Photos with 68 labelled points."""

UNLABELLED = "portraits"
"""Photos of which the teacher alone says where the face is."""

FRAMES = "ytf68"
"""Frames of videos of people, with 68 points as 2D annotators mark them: jaws are contours."""


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """Pictures of one face each.

    Attributes:
        rows: their places in the set, as its files list them.
        landmarks_px: around which crops are cut.
        labels_px: the set's own points; None where it has none.
        jaw_on_surface: whether the first 17 of these are where they are on the face's surface.
        person: who is shown, where several pictures show one person; else a number of its own.
        teacher: what it says of them.
        decode: the picture at a place among `rows`.
    """

    rows: Int[np.ndarray, "n"]
    landmarks_px: Float[np.ndarray, "n 68 2"]
    labels_px: Float[np.ndarray, "n 68 2"] | None
    teacher: Teacher
    decode: Callable[[int], UInt8[np.ndarray, "h w 3"]]
    person: Shaped[np.ndarray, "n"]
    jaw_on_surface: bool = True

    def __len__(self) -> int:
        return len(self.rows)


def labelled_pictures(data: Path) -> Pictures:
    """`LABELLED` below the data's root.

    Raises:
        DataError: a file is missing or malformed.
    """
    faces = FaceCrops(data / LABELLED)
    teacher = Teacher.load(_answers(data, LABELLED), faces.rows)
    points = faces.landmarks_px[..., :2]
    person = np.arange(len(points))
    return Pictures(faces.rows, points, points, teacher, faces.decode, person)


def unlabelled_pictures(data: Path) -> Pictures:
    """`UNLABELLED` below the data's root, as far as the teacher finds a face.

    Raises:
        DataError: a file is missing or malformed.
    """
    answers = _answers(data, UNLABELLED)
    names = load_arrays(answers, {"name": (), "found": ()})
    rows = np.flatnonzero(names["found"])
    teacher = Teacher.load(answers, rows)
    tars = TarIndex(list_files(data / UNLABELLED, (".tar",)), SkippedSamples())
    positions = tars.match(names["name"].tolist())

    def decode(place: int) -> UInt8[np.ndarray, "h w 3"]:
        return read_image(tars.read(positions[rows[place]]))

    person = load_arrays(data / UNLABELLED / "labels.npz", {"name": (), "person": ()})
    if not np.array_equal(person["name"], names["name"]):
        raise DataError(f"{answers}: not of the pictures of {UNLABELLED}")
    around = teacher.landmarks_px.astype(np.float32)
    return Pictures(rows, around, None, teacher, decode, person["person"][rows])


def video_frames(data: Path) -> Pictures:
    """`FRAMES` below the data's root, of the people that may be trained with.

    Raises:
        DataError: a file is missing or malformed.
    """
    faces = FaceCrops(data / FRAMES)
    if faces.identity is None:
        raise DataError(f"{data / FRAMES}: names no people")
    places = np.flatnonzero(~unseen_people(faces.identity))
    teacher = Teacher.load(_answers(data, FRAMES), faces.rows[places])
    points = faces.landmarks_px[places, :, :2]
    return Pictures(
        faces.rows[places],
        points,
        points,
        teacher,
        lambda place: faces.decode(int(places[place])),
        faces.identity[places],
        jaw_on_surface=False,
    )


def _answers(data: Path, name: str) -> Path:
    return data / "teacher" / f"{name}.npz"
