"""Loops that tell how far they are."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

Progress: TypeAlias = Callable[[int, int], None]
"""Is called with how many things are done, and how many there are."""

Item = TypeVar("Item")


def counted(items: Sequence[Item], progress: Progress | None) -> Iterator[Item]:
    """The items; `progress` is told after each."""
    for number, item in enumerate(items, start=1):
        yield item
        if progress is not None:
            progress(number, len(items))


def batches(count: int, size: int, progress: Progress | None) -> Iterator[range]:
    """Numbers below `count` in ranges of at most `size`; `progress` is told after each."""
    for start in range(0, count, size):
        rows = range(start, min(start + size, count))
        yield rows
        if progress is not None:
            progress(rows.stop, count)
