"""A batch as a folder: which pictures, in which parts, and which of them are done."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlanet.bulk.settings import Settings
from mlanet.bulk.sources import Source
from mlanet.errors import DataError, UsageError
from mlanet.files import atomic_path, read_json, remove_leftovers
from mlanet.version import __version__

PLAN = "mlanet-batch.json"
"""What a folder says of the batch that it holds; described in docs/reference/batch.md."""

FACES, PICTURES, FILES, FAILURES = "faces", "pictures", "files", "failures.jsonl"

SCHEMA_VERSION = 1

MOST_PICTURES = 256
"""In a part: what a process loses at most when a run is killed."""

LEAST_PICTURES = 16
FAIR_PARTS = 64
"""Of small batches there are about so many parts, so that all processes end together."""

_MAX_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Part:
    """Pictures that one process does at a time.

    Attributes:
        number: from 0, in the batch.
        source: the pictures.
        lost: why pictures are not to be touched, by their place in the part.
    """

    number: int
    source: Source
    lost: dict[int, str] = field(default_factory=dict[int, str])

    @property
    def name(self) -> str:
        """Of its files and folders, without an ending."""
        return f"part-{self.number:08d}"

    def without(self, place: int, reason: str) -> "Part":
        """The part with one more picture that is not to be touched."""
        return replace(self, lost={**self.lost, place: reason})


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures, settings, and the folder for the results.

    The parts depend on the pictures alone, so that a run that was stopped goes on with the same
    ones, and the same tables come of them.

    Attributes:
        folder: where to.
        sources: the pictures.
        settings: how they are looked at.
    """

    folder: Path
    sources: Sequence[Source]
    settings: Settings

    def __len__(self) -> int:
        """How many pictures."""
        return sum(len(source) for source in self.sources)

    @property
    def part_pictures(self) -> int:
        """How many pictures a part has; the last one of a source may have fewer."""
        fair = len(self) // FAIR_PARTS // LEAST_PICTURES * LEAST_PICTURES
        return min(max(fair, LEAST_PICTURES), MOST_PICTURES)

    def parts(self) -> Iterator[Part]:
        """All parts, done or not."""
        size, number = self.part_pictures, 0
        for source in self.sources:
            for start in range(0, len(source), size):
                yield Part(number, source.part(start, min(start + size, len(source))))
                number += 1

    def table(self, kind: str, part: Part) -> Path:
        """Where a part's table of faces or pictures lies."""
        return self.folder / kind / f"{part.name}.parquet"

    def is_done(self, part: Part) -> bool:
        """Whether a part's tables are there: that of the pictures is written last."""
        return self.table(PICTURES, part).is_file()

    def claim(self) -> None:
        """Write the plan into the folder, or see that the one there is the same; tidy up.

        Raises:
            UsageError: the folder holds another batch, or anything else.
            AssetError, OSError: a file cannot be read or written.
        """
        plan, path = self._plan(), self.folder / PLAN
        if path.exists():
            self._check_same(plan, path)
        else:
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise UsageError(f"--out {self.folder} holds other files: name a new folder")
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(plan, indent=1) + "\n", encoding="ascii")
        for name in (FACES, PICTURES, FILES) if self.settings.writes_files else (FACES, PICTURES):
            (self.folder / name).mkdir(exist_ok=True)
            remove_leftovers(self.folder / name)
        remove_leftovers(self.folder)

    def _plan(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA_VERSION,
            "mlanet": __version__,
            "options": self.settings.record(),
            "pictures": len(self),
            "part_pictures": self.part_pictures,
            "sources": [source.described() for source in self.sources],
        }

    def _check_same(self, plan: dict[str, Any], path: Path) -> None:
        there = read_plan(self.folder)
        if there == plan:
            return
        told = {"sources": "of other pictures", "options": "with other options"}
        reason = next(
            (why for key, why in told.items() if there.get(key) != plan[key]),
            f"of mlanet {there.get('mlanet')}",
        )
        raise UsageError(f"--out {path.parent} holds a batch {reason}: name a new folder")


def read_plan(folder: Path) -> dict[str, Any]:
    """What a folder says of its batch.

    Raises:
        DataError: it holds none.
    """
    path = folder / PLAN
    if not path.is_file():
        raise DataError(f"{folder}: holds no batch ({PLAN} is missing)")
    plan = read_json(path, DataError, what="the plan of a batch", max_bytes=_MAX_BYTES)
    if not isinstance(plan, dict) or plan.get("schema") != SCHEMA_VERSION:
        raise DataError(f"{path}: not the plan of a batch that this version of mlanet reads")
    return plan
