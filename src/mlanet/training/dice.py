"""Random numbers of each sample of a batch, whoever else is in it."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Dice:
    """Random numbers, on the CPU, of which each sample's come from a generator of its own.

    Batches may be cut among processes and made in any order: a sample meets the same chance.
    """

    def __init__(self, generators: Sequence[np.random.Generator]) -> None:
        self._generators = list(generators)

    def __len__(self) -> int:
        return len(self._generators)

    def take(self, rows: Int[Tensor, "k"]) -> "Dice":
        """Those of some samples."""
        return Dice([self._generators[row] for row in rows.tolist()])

    def generator(self, row: int) -> np.random.Generator:
        """A sample's own generator."""
        return self._generators[row]

    def uniform(self, low: float, high: float, *shape: int) -> Float[Tensor, "b *s"]:
        """Numbers in [low, high), of this shape for each sample."""
        return low + (high - low) * self._drawn([g.random(shape) for g in self._generators])

    def normal(self, *shape: int) -> Float[Tensor, "b *s"]:
        """Numbers of mean 0 and deviation 1, of this shape for each sample."""
        return self._drawn([g.standard_normal(shape) for g in self._generators])

    def noise(self, *shape: int) -> Float[Tensor, "b *s"]:
        """`normal` in single precision, for pictures."""
        return self._drawn([g.standard_normal(shape, np.float32) for g in self._generators])

    def happens(self, chance: float) -> Bool[Tensor, "b"]:
        """Whether something of this probability happens to each sample."""
        return self.uniform(0.0, 1.0) < chance

    def rows(self, chance: float) -> Int[Tensor, "k"]:
        """The samples that something of this probability happens to."""
        return torch.nonzero(self.happens(chance))[:, 0]

    def _drawn(self, numbers: list[np.ndarray] | list[float]) -> Tensor:
        return torch.from_numpy(np.stack(numbers))
