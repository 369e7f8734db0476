"""HDF5 files of unknown origin: data sets of the very file, read after their sizes are known.

Links to other files or places are not followed, nor is data read that lies outside of the file or
is composed of other data sets. Needs h5py.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Shaped

from mlanet.files.numpyfiles import CONVERTED, FREE_BYTES, INFLATION, MAX_BYTES

FILTERS = (1, 2, 3, 32000)
"""Numbers of the filters that h5py brings: deflate, shuffle, checksum, LZF. Others might be
libraries of the system's, loaded because a file names them."""

MAX_FILTERS = 3
"""One after the other; deflate in deflate grows a million times."""


@dataclass(slots=True)
class Hdf5Reader:
    """Data sets of an open `h5py.File` of `size` bytes by their paths; use it within `parsing`.

    All of them together may take what an npz file may (`numpyfiles`).
    """

    file: Any
    size: int
    _total: int = field(default=0, init=False)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def read(self, name: str) -> Shaped[np.ndarray, "..."]:
        """A data set.

        Raises:
            KeyError: there is none of that name.
            ValueError: it lies elsewhere, is stored in another way, or takes too much memory.
        """
        import h5py

        data = self._find(name)
        if data is None:
            raise KeyError(name)
        if not isinstance(data, h5py.Dataset):
            raise ValueError(f"{name} is no data set")
        if data.is_virtual or data.external:
            raise ValueError(f"{name} lies in another file, which is not read")
        plist = data.id.get_create_plist()
        used = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
        if len(used) > MAX_FILTERS or not set(used) <= set(FILTERS):
            raise ValueError(f"{name} is stored in a way that is not read (filters {used})")
        text = h5py.check_string_dtype(data.dtype) is not None
        if not text and data.dtype.kind not in "biuf":
            raise ValueError(f"{name} holds no numbers")
        self._count(int(data.size or 0), data.dtype)
        if data.chunks is not None:  # one of them is decompressed as a whole
            self._count(int(np.prod(data.chunks, dtype=object)), data.dtype)
        return np.asarray(data[()])

    def _find(self, name: str) -> Any:
        """The object at a path of hard links; None where there is none."""
        import h5py

        here = self.file
        for part in name.split("/"):
            if not isinstance(here, h5py.Group):
                return None
            link = here.get(part, getlink=True)
            if link is None:
                return None
            if not isinstance(link, h5py.HardLink):
                raise ValueError(f"{name} lies in another file or place, which is not read")
            here = here[part]
        return here

    def _count(self, count: int, dtype: np.dtype[Any]) -> None:
        self._total += count * max(dtype.itemsize, CONVERTED)
        if self._total > min(MAX_BYTES, max(FREE_BYTES, INFLATION * self.size)):
            raise ValueError("it decompresses to more than it may take in memory")
