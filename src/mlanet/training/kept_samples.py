"""Samples that are read once and kept."""

import threading
from collections.abc import Callable

from mlanet.coefficients import CoefficientLayout
from mlanet.datasets import Sample
from mlanet.training.samples import Samples, reduced

Place = tuple[int, int]
"""Number of a source, and of a sample there."""


class KeptSamples:
    """Samples as far as memory reaches; the others are read each time.

    A kept picture is the same as one that is read: the memory decides nothing but the time.

    Args:
        read: a sample, or None if it is broken.
        layout: of the coefficients.
        device: where the pictures are kept, and given out.
        memory_bytes: of all pictures together.
    """

    def __init__(
        self,
        read: Callable[[Place], Sample | None],
        layout: CoefficientLayout,
        device: str,
        memory_bytes: float,
    ) -> None:
        self._read, self._layout, self._device = read, layout, device
        self._free_bytes = memory_bytes
        self._kept: dict[tuple[Place, int], Samples] = {}
        self._lock = threading.Lock()

    def get(self, place: Place, size: int) -> Samples | None:
        """A sample, reduced to what crops of `size` pixels need, or None if it is broken.

        May be called from several threads.
        """
        kept = self._kept.get((place, size))
        if kept is not None:
            return kept
        sample = self._read(place)
        if sample is None:
            return None
        found = Samples.of(reduced(sample, size), self._layout).with_images_on(self._device)
        with self._lock:
            if found.images.nbytes <= self._free_bytes and (place, size) not in self._kept:
                self._free_bytes -= found.images.nbytes
                self._kept[place, size] = found
        return found
