"""What samples and data sets are, and how a run gets past broken ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, UInt8

from mlanet.errors import DataError, ImageError
from mlanet.files import one_line


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """An RGB picture and what is known of the face in it; None is "not annotated".

    `landmarks_px` are the 68 points of iBUG in pixels of `image`: x, y and, with three
    columns, z in the same scale, larger is nearer the viewer, origin arbitrary. `rotation` is
    model to camera and `angles_deg` its (pitch, yaw, roll), both as in
    docs/reference/conventions.md.
    `coefficients` are what a network should predict for the square part `square_px` (left, top,
    side in pixels) of the picture, without it for the square on its longer side; `known` says which
    of them are known, without it all are.
    `surface_jaw`: the first 17 landmarks are points of the surface although they have no third
    column; else they follow the visible contour, as 2D annotators mark it.
    """

    name: str
    image: UInt8[np.ndarray, "h w 3"]
    landmarks_px: Float[np.ndarray, "68 d"] | None = None
    rotation: Float[np.ndarray, "3 3"] | None = None
    angles_deg: Float[np.ndarray, "3"] | None = None
    identity: str | None = None
    coefficients: Float[np.ndarray, "n"] | None = None
    surface_jaw: bool = False
    known: Bool[np.ndarray, "n"] | None = None
    square_px: tuple[float, float, float] | None = None

    @property
    def jaw_on_surface(self) -> bool:
        """Whether the 17 jaw points are fixed on the surface: with depth they always are."""
        points = self.landmarks_px
        return self.surface_jaw or (points is not None and points.shape[1] == 3)


SHOWN = 5
"""Broken samples that a run names; the others are counted."""

BROKEN = (DataError, ImageError)
"""What reading or making a broken sample raises: labels or picture."""


class SampleSequence(Protocol):
    """Samples by number; `__getitem__` raises an error of `BROKEN` for one that cannot be had."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


@runtime_checkable
class Dataset(SampleSequence, Protocol):
    """A data set on disk.

    Opening it finds its samples and reads the labels that lie in one file; pictures are read
    when they are asked for. What is found broken on opening is left out and noted in `skipped`.
    """

    @property
    def names(self) -> Iterable[str]:
        """Names of the samples, in their order."""
        ...

    @property
    def skipped(self) -> "SkippedSamples":
        """What was left out on opening; `read_samples` adds to it."""
        ...


class SkippedSamples:
    """Broken and odd samples of a run by `sample_key`, with the reason: for its log.

    None is fatal. An odd one is used but for what its odd value says.
    """

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}
        self._oddities: dict[str, str] = {}

    def add(self, name: str, reason: object) -> None:
        """Note a sample; a name that is known already keeps its first reason."""
        self._reasons.setdefault(name, one_line(reason))

    def note_odd(self, name: str, oddities: Sequence[str]) -> None:
        """Note what is odd in a sample that is used all the same."""
        if oddities:
            self._oddities.setdefault(name, one_line("; ".join(oddities)))

    def __len__(self) -> int:
        return len(self._reasons)

    def __contains__(self, name: object) -> bool:
        return name in self._reasons

    @property
    def reasons(self) -> dict[str, str]:
        """A copy: the reason of each name, in the order in which they were met."""
        return dict(self._reasons)

    @property
    def oddities(self) -> dict[str, str]:
        """A copy: what is odd in each of the odd samples."""
        return dict(self._oddities)

    def lines(self, shown: int = SHOWN) -> list[str]:
        """The odd samples, how many were skipped, the first of these, a line each; perhaps none."""
        odd = [f"warning: {name}: {text}" for name, text in list(self._oddities.items())[:shown]]
        if len(self._oddities) > shown:
            odd.append(f"warning: {len(self._oddities) - shown} more odd samples")
        if not self._reasons:
            return odd
        named = [
            f"skipped: {reason if name in reason else f'{name}: {reason}'}"
            for name, reason in list(self._reasons.items())[:shown]
        ]
        more = len(self._reasons) - len(named)
        return [
            *odd,
            f"{len(self._reasons)} broken samples skipped",
            *named,
            *([f"skipped: {more} more"] if more else []),
        ]


def read_samples(dataset: Dataset, indices: Iterable[int] | None = None) -> Iterator[Sample]:
    """The samples of a data set in order, without the broken ones, which `skipped` then names."""
    for index in range(len(dataset)) if indices is None else indices:
        try:
            yield dataset[index]
        except BROKEN as error:
            dataset.skipped.add(sample_key(list(dataset.names), index), error)


def all_broken(source: object, skipped: SkippedSamples) -> DataError:
    """The error of a data set of which nothing is left."""
    return DataError(f"{source}: no sample is usable; {_first(skipped)}")


def sample_key(names: list[str], index: int, counts: Counter[str] | None = None) -> str:
    """What `SkippedSamples` calls a sample: its name, with its number where names repeat.

    `counts` of the names, where many are asked for, spare counting them each time.
    """
    name = names[index]
    count = names.count(name) if counts is None else counts[name]
    return f"{name} (sample {index})" if count > 1 else str(name)


def _first(skipped: SkippedSamples) -> str:
    return f"the first: {next(iter(skipped.reasons.values()), 'there are none')}"
