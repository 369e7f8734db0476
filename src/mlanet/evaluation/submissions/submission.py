"""What was handed in to a benchmark that others score: counts and pictures, no errors."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mlanet.errors import ImageError
from mlanet.evaluation.reporting.face_tiles import (
    FACE_COLUMNS,
    TILE_PX,
    drawn_by_lot,
    face_tiles,
)
from mlanet.evaluation.reporting.page import PictureGrid, PictureRow
from mlanet.evaluation.reporting.report import Protocol, Report
from mlanet.evaluation.reporting.table import Column, Table, text_table
from mlanet.image import crop_square, square_from_landmarks
from mlanet.reconstruction import Reconstruction

COLUMNS = ("photo", *FACE_COLUMNS)
NUM_DRAWN = 10
"""So many faces are drawn by lot, and at most so many of those that a given box had to cut."""

Watch: TypeAlias = Callable[[str, Reconstruction], None]
"""Is told an image's name and the face that is handed in for it."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Which images of a benchmark have a prediction.

    Attributes:
        benchmark: its name.
        images: names of all images, in the order of its list.
        missing: these have no prediction, since no face was found or they cannot be read.
        by_box: in these a box of the benchmark had to say where the face is.
        unreadable: of `missing`, those that cannot be read, and why (with the file's path).
        odd: images with a prediction for which a file of the benchmark could not be used, and why.
        groups: the group of each image, as the benchmark divides them; may be empty.
    """

    benchmark: str
    images: tuple[str, ...]
    missing: tuple[str, ...]
    by_box: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict[str, str])
    odd: Mapping[str, str] = field(default_factory=dict[str, str])
    groups: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def written(self) -> int:
        """Number of images that have a prediction."""
        return len(self.images) - len(self.missing)


def hand_in(
    benchmark: str,
    images: Sequence[str],
    write: Callable[[str], Reconstruction | None],
    watch: Watch | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Submission:
    """Write the prediction of every image; one whose picture cannot be read is passed over.

    Args:
        benchmark: its name.
        images: names.
        write: finds the face in an image and writes its files; None without a face.
        watch: is told what was written.
        progress: called with (images done, images in all).

    Raises:
        OSError: the folder cannot be written.
    """
    missing, by_box, unreadable = list[str](), list[str](), dict[str, str]()
    for number, name in enumerate(images):
        face = None
        try:
            face = write(name)
        except ImageError as error:
            unreadable[name] = str(error)
        if face is None:
            missing.append(name)
        else:
            by_box.extend([name] if face.detection is None else [])
            if watch is not None:
                watch(name, face)
        if progress is not None:
            progress(number + 1, len(images))
    return Submission(benchmark, tuple(images), tuple(missing), tuple(by_box), unreadable)


def submission_report(
    submission: Submission,
    *,
    versions: Mapping[str, str] | None = None,
    seconds: float = 0.0,
    pictures: Sequence[PictureGrid] = (),
) -> Report:
    """Counts, the images without prediction, and pictures.

    Args:
        submission: what was handed in.
        versions: of weights and assets.
        seconds: that all images took.
        pictures: of some faces.
    """
    name = submission.benchmark
    text = f"prediction files; errors are computed by {name}'s own evaluation"
    return Report(
        protocol=Protocol(f"{name} submission", text),
        method="mlanet",
        versions=dict(versions or {}),
        rows=image_table(submission),
        tables=(count_table(submission), noted_table(submission)),
        conditions={"written": submission.written, "seconds": round(seconds, 3)},
        pictures=tuple(pictures),
    )


def image_table(submission: Submission) -> Table:
    """One row an image: whether it has a prediction, and why not."""
    rows = tuple(
        (
            name,
            submission.groups.get(name, "all"),
            int(name not in missing),
            int(name in by_box),
            _why(submission, name),
        )
        for missing, by_box in [(set(submission.missing), set(submission.by_box))]
        for name in submission.images
    )
    columns = map(Column, ("image", "group", "written", "by_box", "note"))
    return Table("images", tuple(columns), rows, brief=False)


def count_table(submission: Submission) -> Table:
    """Images, those by the benchmark's box and those without prediction: by group, and all."""
    kinds = (submission.images, submission.by_box, submission.missing)
    counted = [Counter(submission.groups.get(name, "all") for name in names) for names in kinds]
    groups = sorted(counted[0]) if submission.groups else []
    rows = [(group, *(counts[group] for counts in counted)) for group in groups]
    rows.append(("all", *map(len, kinds)))
    columns = map(Column, ("group", "images", "by_box", "missing"))
    return Table("Images", tuple(columns), tuple(rows))


def noted_table(submission: Submission) -> Table:
    """Images without a prediction or with something odd, and those that a box had to cut."""
    noted = {*submission.missing, *submission.by_box, *submission.odd}
    rows = [(name, _why(submission, name)) for name in submission.images if name in noted]
    return text_table("Images to look at", ("image", "note"), rows)


def _why(submission: Submission, name: str) -> str:
    """What is to be said of an image."""
    notes = [notes[name] for notes in (submission.unreadable, submission.odd) if name in notes]
    if name in submission.missing and name not in submission.unreadable:
        notes.append("no face was found")
    if name in submission.by_box:
        notes.append(f"cut by {submission.benchmark}'s box")
    return "; ".join(notes)


@dataclass(eq=False)
class SubmissionPictures:
    """Draws, while they are at hand, some of the faces that are handed in.

    Attributes:
        images: names of all; which are drawn by lot depends on them alone.
    """

    images: Sequence[str]
    _rows: dict[str, PictureRow] = field(default_factory=dict[str, PictureRow], init=False)
    _by_box: list[str] = field(default_factory=list[str], init=False)

    def __post_init__(self) -> None:
        self._lot = drawn_by_lot(self.images, NUM_DRAWN)

    def __call__(self, name: str, face: Reconstruction) -> None:
        """Draw the face if it is one of those to be shown."""
        unseen = face.detection is None and len(self._by_box) < NUM_DRAWN
        if unseen:
            self._by_box.append(name)
        if unseen or name in self._lot:
            square = square_from_landmarks(face.landmarks_px)
            tiles = (crop_square(face.image, square, TILE_PX).image, *face_tiles(face, square))
            self._rows[name] = PictureRow(name, tiles)

    def grids(self) -> list[PictureGrid]:
        """What was drawn."""
        note = "Expression included; what is handed in may be the same person at rest."
        chosen = (("Drawn by lot", self._lot), ("Cut by the benchmark's box", self._by_box))
        grids: list[PictureGrid] = []
        for title, names in chosen:
            rows = tuple(self._rows[name] for name in names if name in self._rows)
            grids.append(PictureGrid(title, COLUMNS, rows, note))
        return [grid for grid in grids if grid.rows]
