"""What a run writes down while it goes on: JSON lines, and the same for TensorBoard."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import DataError
from mlanet.files import atomic_path, json_value, read_text

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS = "metrics.jsonl"


@dataclass(eq=False)
class Journal:
    """The log of a run; without files, of the processes that do not write, it does nothing."""

    lines: IO[str] | None = None
    board: "SummaryWriter | None" = None
    noted: set[Any] = field(default_factory=set[Any])

    @classmethod
    @contextmanager
    def open(
        cls, out: Path, *, write: bool = True, step: int = 0
    ) -> "Generator[Journal, None, None]":
        """The journal of a run's folder.

        Args:
            out: the folder.
            write: whether this process writes it.
            step: that the run goes on from. What was noted of later ones, before the run was
                killed, goes: these steps are taken again.

        Raises:
            DataError: the journal that is there cannot be read.
        """
        if not write:
            yield cls()
            return
        path = out / METRICS
        if path.exists():
            _cut(path, step)
        from torch.utils.tensorboard import SummaryWriter

        with (
            path.open("a", encoding="utf-8") as lines,
            SummaryWriter(out, purge_step=step + 1) as board,
        ):
            yield cls(lines, board)

    def record(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of a step."""
        self._write({"step": step, **values})
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def show(self, step: int, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """The picture of a validation, for TensorBoard."""
        if self.board is not None:
            self.board.add_image("held_out", picture, step, dataformats="HWC")

    def new_broken(self, broken: Mapping[Any, str]) -> dict[Any, str]:
        """Those that were not noted yet."""
        found = dict(broken)  # the loader's threads may go on writing
        return {place: text for place, text in found.items() if place not in self.noted}

    def note_broken(self, step: int, broken: Mapping[Any, str]) -> None:
        """Name and count the samples that were skipped, each once."""
        new = self.new_broken(broken)
        if not new:
            return
        self.noted |= new.keys()
        self._write({"step": step, "broken_samples": len(self.noted), "broken": [*new.values()]})

    def _write(self, values: dict[str, Any]) -> None:
        if self.lines is not None:
            self.lines.write(json.dumps(values) + "\n")
            self.lines.flush()


def _cut(path: Path, step: int) -> None:
    """Take off the lines of later steps, and a last one that was not written to its end."""
    text = read_text(path, DataError)
    kept = "".join(line for line in text.splitlines(keepends=True) if _is_of(line, step))
    if kept != text:
        with atomic_path(path) as temporary:
            temporary.write_text(kept, encoding="utf-8", newline="\n")


def _is_of(line: str, step: int) -> bool:
    if not line.endswith("\n"):
        return False
    try:
        return int(json_value(line)["step"]) <= step
    except (ValueError, TypeError, LookupError):
        return False
