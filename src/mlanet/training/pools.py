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
    """

    members: list[tuple[int, int]]
    share: float
    stream: int
    telling: bool = False

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
            found.append((epoch, int(_order(seed, epoch, count, self.own_numbers)[place])))
        return found


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
