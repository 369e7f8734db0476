"""Which photos the samples of a source show: those that are held out must not come back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from mlanet.datasets.w300lp import photo_name

PhotoKey = tuple[str, str, int | None]
"""Folder, name without ending and, where that alone may not tell it, number of a photo."""


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """The photo that each sample of a source shows.

    Attributes:
        folder: name of the folder in which the photos lie.
        names: of the photos, without their endings.
        rows: number of each photo among all that the folder lists.
        shared: names that several photos of the folder have.
    """

    folder: str
    names: Sequence[str]
    rows: Int[np.ndarray, "n"]
    shared: frozenset[str]

    @classmethod
    def of(cls, folder: str, names: Sequence[str], rows: Int[np.ndarray, "n"]) -> "Photos":
        """Photos of a folder by their names without endings and their numbers there."""
        both = set(zip(names, rows.tolist(), strict=True))
        counts = Counter(name for name, _ in both)
        return cls(folder, names, rows, frozenset(n for n, count in counts.items() if count > 1))

    @classmethod
    def of_files(
        cls, folder: str, files: Sequence[str], rows: Int[np.ndarray, "n"] | None = None
    ) -> "Photos":
        """The files of a folder; without their numbers there they are counted from zero."""
        numbers = np.arange(len(files)) if rows is None else rows
        return cls.of(folder, [name.rsplit(".", 1)[0] for name in files], numbers)

    def __len__(self) -> int:
        return len(self.names)

    def keys(self, index: int) -> tuple[PhotoKey, ...]:
        """What two samples of one photo have in common: the name or, where it is shared, both."""
        name, row = self.names[index], int(self.rows[index])
        with_row = (self.folder, name, row)
        return (with_row,) if name in self.shared else ((self.folder, name, None), with_row)


def photos_of_dataset(folder: str, names: Sequence[str], layout: str) -> Photos:
    """The photos of a data set of `layout_of`'s name; of 300W-LP each has several pictures."""
    if layout not in ("300w-lp", "3ddfa"):
        return Photos.of_files(folder, names)
    photos = [photo_name(name) for name in names]
    numbers = {photo: number for number, photo in enumerate(dict.fromkeys(photos))}
    return Photos.of(folder, photos, np.array([numbers[photo] for photo in photos]))
