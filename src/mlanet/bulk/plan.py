"""A batch as a folder: which pictures, in which parts, and which of them are done."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlanet.bulk.settings import Settings
from mlanet.bulk.sources import Source
from mlanet.bulk.storage import Storage, storage_of
from mlanet.errors import DataError, UsageError
from mlanet.files import json_value, parsing
from mlanet.version import __version__

PLAN = "mlanet-batch.json"
"""What a folder says of the batch that it holds; described in docs/reference/batch.md."""

FACES, PICTURES, FILES, FAILURES = "faces", "pictures", "files", "failures.jsonl"

TABLE_SUFFIX = ".parquet"

SCHEMA_VERSION = 1

MOST_PICTURES = 256
"""In a part: what a process loses at most when a run is killed."""

LEAST_PICTURES = 16
FAIR_PARTS = 64
"""Of small batches there are about so many parts, so that all processes end together."""

MOST_PARTS = 2**16
"""Of huge batches there are about so many: their parts are larger."""


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

    def table(self, kind: str) -> str:
        """Where its table of faces or of pictures lies in the batch's folder."""
        return f"{kind}/{self.name}{TABLE_SUFFIX}"

    def without(self, place: int, reason: str) -> "Part":
        """The part with one more picture that is not to be touched."""
        return replace(self, lost={**self.lost, place: reason})


@dataclass(frozen=True, slots=True)
class Batch:
    """Pictures, settings, and the folder for the results.

    The parts depend on the pictures alone, so that a run that was stopped goes on with the same
    ones, and the same tables come of them.

    Attributes:
        folder: where to: a path, or an address of other storage.
        sources: the pictures.
        settings: how they are looked at.
    """

    folder: Path | str
    sources: Sequence[Source]
    settings: Settings

    def __len__(self) -> int:
        """How many pictures."""
        return sum(len(source) for source in self.sources)

    @property
    def part_pictures(self) -> int:
        """How many pictures a part has; the last one of a source may have fewer."""
        fair = len(self) // FAIR_PARTS // LEAST_PICTURES * LEAST_PICTURES
        huge = len(self) // MOST_PARTS // LEAST_PICTURES * LEAST_PICTURES
        return max(min(max(fair, LEAST_PICTURES), MOST_PICTURES), huge)

    def parts(self) -> Iterator[Part]:
        """All parts, done or not."""
        size, number = self.part_pictures, 0
        for source in self.sources:
            for start in range(0, len(source), size):
                yield Part(number, source.part(start, min(start + size, len(source))))
                number += 1

    @property
    def storage(self) -> Storage:
        """Where the tables go.

        Raises:
            UsageError, MlanetError: the folder's address cannot be used.
        """
        return storage_of(self.folder)

    def open_parts(self) -> Iterator[Part]:
        """The parts whose tables are not all there: that of the pictures is written last."""
        done = set(self.storage.listed(PICTURES, TABLE_SUFFIX))
        return (part for part in self.parts() if part.table(PICTURES) not in done)

    def claim(self) -> None:
        """Write the plan into the folder, or see that the one there is the same; tidy up.

        Raises:
            UsageError: the folder holds another batch, or anything else.
            AssetError, MlanetError, OSError: a file cannot be read or written.
        """
        plan, storage = self._plan(), self.storage
        if storage.has(PLAN):
            self._check_same(plan)
        else:
            storage.make()
            if not storage.is_empty():
                raise UsageError(f"--out {storage} holds other files: name a new folder")
            storage.write(PLAN, (json.dumps(plan, indent=1) + "\n").encode("ascii"))
        storage.make(FACES, PICTURES, *([FILES] if self.settings.writes_files else []))

    def _plan(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA_VERSION,
            "mlanet": __version__,
            "options": self.settings.record(),
            "pictures": len(self),
            "part_pictures": self.part_pictures,
            "sources": [source.described() for source in self.sources],
        }

    def _check_same(self, plan: dict[str, Any]) -> None:
        there = read_plan(self.storage)
        if there == plan:
            return
        told = {"sources": "of other pictures", "options": "with other options"}
        reason = next(
            (why for key, why in told.items() if there.get(key) != plan[key]),
            f"of mlanet {there.get('mlanet')}",
        )
        raise UsageError(f"--out {self.folder} holds a batch {reason}: name a new folder")


def read_plan(storage: Storage) -> dict[str, Any]:
    """What a folder says of its batch.

    Raises:
        DataError: it holds none.
    """
    if not storage.has(PLAN):
        raise DataError(f"{storage}: holds no batch ({PLAN} is missing)")
    path = f"{storage}/{PLAN}"
    with parsing(path, "not the plan of a batch", DataError):
        plan = json_value(storage.read(PLAN))
    if not isinstance(plan, dict) or plan.get("schema") != SCHEMA_VERSION:
        raise DataError(f"{path}: not the plan of a batch that this version of mlanet reads")
    return plan
