"""Samples that are drawn from as one, and which of them a step takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Int


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Samples that are drawn from as one: pass after pass, each in an order of its own.

    Attributes:
        members: (source, index) of each sample.
        share: of the labelled or the unlabelled part of a batch.
        stream: tells the pool's orders from those of others.
        telling: they are the telling faces of their sources.
        together: so many of one person in a row, as far as there are.
        person: a number of who each member shows; empty where nobody knows.
    """

    members: list[tuple[int, int]]
    share: float
    stream: int
    telling: bool = False
    together: int = 1
    person: tuple[int, ...] = ()

    @property
    def own_numbers(self) -> tuple[int, ...]:
        """What seeds have beside; the first pool keeps the numbers of runs that had no other."""
        return (self.stream,) if self.stream else ()

    def picks(self, seed: int, start: int, stop: int) -> list[tuple[int, int]]:
        """Pass and member number at each position of an endless sequence."""
        found: list[tuple[int, int]] = []
        count = len(self.members)
        for position in range(start, stop):
            epoch, place = divmod(position, count)
            found.append((epoch, int(self._order(seed, epoch)[place])))
        return found

    def _order(self, seed: int, epoch: int) -> Int[np.ndarray, "n"]:
        if self.together > 1 and self.person:
            return _order_by_person(seed, epoch, self.person, self.together, self.own_numbers)
        return _order(seed, epoch, len(self.members), self.own_numbers)


def chosen(pools: Sequence[Pool], count: int, step: int, seed: int) -> list[tuple[Pool, int, int]]:
    """Pool, pass and member number of each of the `count` samples of a part of a step's batch.

    Each pool fills its share, up to rounding that evens out over the steps.
    """
    largest = max(pools, key=lambda pool: pool.share)

    def before(pool: Pool, step: int) -> int:
        if pool is largest:
            others = sum(before(other, step) for other in pools if other is not largest)
            return step * count - others
        return math.floor(step * count * pool.share + 1e-6)

    return [
        (pool, epoch, pick)
        for pool in pools
        for epoch, pick in pool.picks(seed, before(pool, step), before(pool, step + 1))
    ]


@lru_cache(maxsize=16)
def _order(seed: int, epoch: int, count: int, own: tuple[int, ...]) -> Int[np.ndarray, "n"]:
    """The shuffled order of an epoch."""
    return np.random.default_rng([seed, epoch, 2**31, *own]).permutation(count)


@lru_cache(maxsize=16)
def _order_by_person(
    seed: int, epoch: int, person: tuple[int, ...], together: int, own: tuple[int, ...]
) -> Int[np.ndarray, "n"]:
    """The same, but `together` of a person (what is left over: fewer) stay in a row."""
    shuffled = _order(seed, epoch, len(person), own)
    seen: dict[int, int] = {}
    group: list[tuple[int, int]] = []
    for member in shuffled.tolist():
        who = person[member]
        seen[who] = seen.get(who, -1) + 1
        group.append((who, seen[who] // together))
    first: dict[tuple[int, int], int] = {}
    for place, one in enumerate(group):
        first.setdefault(one, place)
    return shuffled[np.argsort([first[one] for one in group], kind="stable")]
