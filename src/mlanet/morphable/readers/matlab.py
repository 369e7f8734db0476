"""MATLAB's .mat files of unknown origin, version 5."""

import struct
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from mlanet.errors import AssetError
from mlanet.morphable.archive import MAX_BYTES, checked_size

HEADER_BYTES = 128
COMPRESSED = 15
"""Type of an element that is a zlib stream (MAT-file format, level 5)."""

_BLOCK = 1 << 20


def read_mat(path: Path, names: tuple[str, ...], obtained: str) -> dict[str, np.ndarray]:
    """Those of the named variables that the file has; nothing else is read.

    Args:
        path: the file.
        names: of numeric variables.
        obtained: what the file should be and where it is obtained, for messages.

    Raises:
        AssetError: the file is missing, truncated, too large or no .mat file of version 5.
    """
    try:
        checked_size(path, _decompressed_size(path), MAX_BYTES)
        from scipy.io import loadmat

        found = loadmat(str(path), variable_names=list(names))
    except FileNotFoundError as error:
        raise AssetError(f"{path}: no such file; {obtained}") from error
    except AssetError:
        raise
    except Exception as error:  # loadmat's readers raise errors of any kind on damaged files
        raise AssetError(f"{path}: a damaged .mat file; {obtained}") from error
    values = {name: found[name] for name in names if name in found}
    for name, value in values.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
            raise AssetError(f"{path}: {name} is no array of numbers; {obtained}")
    return values


def variable_names(path: Path) -> set[str]:
    """Names of the variables of a .mat file.

    Raises:
        AssetError: the file is damaged or too large.
    """
    try:
        checked_size(path, _decompressed_size(path), MAX_BYTES)
        from scipy.io import whosmat

        return {name for name, _, _ in whosmat(str(path))}
    except AssetError:
        raise
    except Exception as error:  # as above
        raise AssetError(f"{path}: not a face model: a damaged .mat file") from error


def required(
    values: dict[str, np.ndarray], name: str, path: Path, obtained: str
) -> Shaped[np.ndarray, "..."]:
    """A variable that must be there.

    Raises:
        AssetError: it is not.
    """
    if name not in values:
        raise AssetError(f"{path}: it lacks the variable {name}; {obtained}")
    return values[name]


def _decompressed_size(path: Path) -> int:
    """Bytes of all elements once they are decompressed; stops where `MAX_BYTES` are passed."""
    size = path.stat().st_size
    if size < HEADER_BYTES:
        raise ValueError("shorter than its header")
    total, position = 0, HEADER_BYTES
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        order = "<" if header[126:128] == b"IM" else ">"
        while position + 8 <= size:
            file.seek(position)
            kind, length = struct.unpack(f"{order}II", file.read(8))
            position += 8 + length
            if kind != COMPRESSED:
                total += length
                continue
            stream, left = zlib.decompressobj(), length
            while left > 0 and total <= MAX_BYTES:
                block = file.read(min(left, _BLOCK))
                if not block:
                    raise ValueError("truncated")
                left -= len(block)
                while block and total <= MAX_BYTES:
                    total += len(stream.decompress(block, _BLOCK))
                    block = stream.unconsumed_tail
    if position > size:
        raise ValueError("truncated")
    return total
