"""What was handed in to a benchmark that others score: counts and pictures, no errors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from mlanet.errors import ImageError
from mlanet.evaluation.progress import Progress, counted
from mlanet.evaluation.reporting import (
    Column,
    PictureGrid,
    PictureRow,
    Protocol,
    Report,
    Table,
    text_table,
)
from mlanet.evaluation.reporting.face_tiles import (
    FACE_COLUMNS,
    TILE_PX,
    drawn_by_lot,
    face_tiles,
)
from mlanet.image import crop_square, square_from_landmarks
from mlanet.reconstruction import Reconstruction

COLUMNS = ("photo", *FACE_COLUMNS)
NUM_DRAWN = 10
"""So many faces are drawn by lot, and at most so many of those that a given box had to cut."""

Watch: TypeAlias = Callable[[str, Reconstruction], None]
"""Is told an image's name and the face that is handed in for it."""


@dataclass(frozen=True, slots=True)
class HandedIn:
    """An image of a benchmark.

    Attributes:
        image: its name.
        group: in which the benchmark counts it.
        by_box: a box of the benchmark had to say where the face is.
        error: why it has no prediction; empty if it has one.
        warning: which file of the benchmark could not be used, and why; empty if all could.
    """

    image: str
    group: str = "all"
    by_box: bool = False
    error: str = ""
    warning: str = ""


def hand_in(
    images: Sequence[str],
    write: Callable[[str], Reconstruction | None],
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> list[HandedIn]:
    """Write the prediction of every image; one whose picture cannot be read is passed over.

    `write` finds the face and writes its files; None without a face. `watch` is told what was
    written.

    Raises:
        OSError: the folder cannot be written.
    """
    rows: list[HandedIn] = []
    for name in counted(images, progress):
        try:
            face = write(name)
        except ImageError as error:
            rows.append(HandedIn(name, error=str(error)))
        else:
            missing = "" if face is not None else f"{name}: no face was found"
            by_box = face is not None and face.detection is None
            rows.append(HandedIn(name, by_box=by_box, error=missing))
            if face is not None and watch is not None:
                watch(name, face)
    return rows


def submission_report(benchmark: str, images: Sequence[HandedIn]) -> Report:
    """Which images have a prediction, and what is to be looked at."""
    rows = tuple(
        (one.image, one.group, int(not one.error), int(one.by_box), one.error, one.warning)
        for one in images
    )
    names = ("image", "group", "written", "by_box", "error", "warning")
    table = Table("images", tuple(map(Column, names)), rows, brief=False)
    noted = [row for row in rows if any(row[3:])]
    text = f"prediction files; errors are computed by {benchmark}'s own evaluation"
    return Report(
        protocol=Protocol(f"{benchmark} submission", text),
        rows=table,
        tables=(count_table(images), text_table("Images to look at", names, noted)),
    )


def count_table(images: Sequence[HandedIn]) -> Table:
    """Images, those by the benchmark's box and those without prediction: by group, and all."""
    groups = sorted({one.group for one in images} - {"all"})
    members = {group: [one for one in images if one.group == group] for group in groups}
    rows = tuple(
        (group, len(some), sum(one.by_box for one in some), sum(bool(one.error) for one in some))
        for group, some in (members | {"all": list(images)}).items()
    )
    columns = map(Column, ("group", "images", "by_box", "missing"))
    return Table("Images", tuple(columns), rows)


@dataclass(eq=False)
class SubmissionPictures:
    """Draws, while they are at hand, some of the faces that are handed in.

    Which are drawn by lot depends on the names of all images alone.
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
