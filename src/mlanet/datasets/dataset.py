"""What a data set is, and how a run gets past its broken samples."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from mlanet.datasets.sample import Sample
from mlanet.errors import DataError, ImageError
from mlanet.files import one_line

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
        found = [
            f"skipped: {reason if name in reason else f'{name}: {reason}'}"
            for name, reason in list(self._reasons.items())[:shown]
        ]
        more = len(self._reasons) - len(found)
        return [
            *odd,
            f"{len(self._reasons)} broken samples skipped",
            *found,
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
