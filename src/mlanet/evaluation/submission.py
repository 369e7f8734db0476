"""What was handed in to a benchmark that others score: counts and pictures, no errors."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from mlanet.evaluation.page import Page, PictureGrid, PictureRow, Table
from mlanet.evaluation.pictures import FACE_COLUMNS, TILE_PX, drawn_by_lot, face_tiles, jpeg
from mlanet.evaluation.report_file import save_content, write_pages
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
        versions: of weights and assets.
        seconds: that all images took.
    """

    benchmark: str
    images: tuple[str, ...]
    missing: tuple[str, ...]
    by_box: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict[str, str])
    odd: Mapping[str, str] = field(default_factory=dict[str, str])
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    versions: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0

    @property
    def written(self) -> int:
        """Number of images that have a prediction."""
        return len(self.images) - len(self.missing)

    def counts(self) -> dict[str, dict[str, int]]:
        """Images, those by the benchmark's box and those without prediction: by group, and all."""
        kinds = {"images": self.images, "by_box": self.by_box, "missing": self.missing}
        every = {"all": {kind: len(names) for kind, names in kinds.items()}}
        counted = {kind: Counter(map(self._group, names)) for kind, names in kinds.items()}
        if not self.groups:
            return every
        return {
            group: {kind: counts[group] for kind, counts in counted.items()}
            for group in sorted(counted["images"])
        } | every

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "protocol": f"{self.benchmark}: prediction files; its own evaluation computes errors",
            "method": "mlanet",
            "counts": self.counts(),
            "missing": list(self.missing),
            "by_box": list(self.by_box),
            "unreadable": dict(self.unreadable),
            "odd": dict(self.odd),
            "versions": dict(self.versions),
            "seconds": round(self.seconds, 3),
        }

    def page(self, grids: Sequence[PictureGrid] = ()) -> Page:
        """Counts, the images without prediction, and pictures."""
        facts = (
            ("Errors", f"none here: {self.benchmark}'s own evaluation computes them"),
            ("Images", f"{self.written} of {len(self.images)} have a prediction"),
            ("Versions", ", ".join(f"{name} {value}" for name, value in self.versions.items())),
            ("Seconds", f"{self.seconds:.0f}"),
        )
        rows = tuple(
            (group, *(str(number) for number in counts.values()))
            for group, counts in self.counts().items()
        )
        columns = ("images", "number", f"cut by {self.benchmark}'s box", "no prediction")
        tables = [Table("Images", columns, rows)]
        if self.unreadable:
            why = tuple(self.unreadable.items())
            tables.append(Table("Cannot be read", ("image", "why"), why))
        faceless = [name for name in self.missing if name not in self.unreadable]
        for title, names in (("No face found", faceless), ("Cut by the box", self.by_box)):
            if names:
                tables.append(Table(title, ("image",), tuple((name,) for name in names)))
        return Page(f"mlanet for {self.benchmark}", facts, tuple(tables), grids=tuple(grids))

    def save(self, folder: Path, grids: Sequence[PictureGrid] = ()) -> Path:
        """Write report.json, report.md and report.html.

        Returns:
            The path of report.json.

        Raises:
            DataError: the folder cannot be written.
        """
        write_pages(folder, self.page(grids))
        return save_content(folder, self.as_dict())

    def _group(self, name: str) -> str:
        return self.groups.get(name, "other")


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
            self._rows[name] = PictureRow(name, tuple(map(jpeg, tiles)))

    def grids(self) -> list[PictureGrid]:
        """What was drawn."""
        note = "Expression included; what is handed in may be the same person at rest."
        chosen = (("Drawn by lot", self._lot), ("Cut by the benchmark's box", self._by_box))
        grids: list[PictureGrid] = []
        for title, names in chosen:
            rows = tuple(self._rows[name] for name in names if name in self._rows)
            grids.append(PictureGrid(title, COLUMNS, rows, note))
        return [grid for grid in grids if grid.rows]
