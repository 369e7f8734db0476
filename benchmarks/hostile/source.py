"""What there is to damage."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A file to damage and the ways in that lead to it.

    Attributes:
        name: of the kind.
        folder: holds all that the ways need; each worker copies it.
        victim: the file to damage, in the folder.
        structure: what `mutate` may know of it.
        ways: names of `WAYS`, tried in turn.
        share: of the mutants, relative to the other sources.
    """

    name: str
    folder: Path
    victim: str
    structure: str
    ways: tuple[str, ...]
    share: float = 1.0
