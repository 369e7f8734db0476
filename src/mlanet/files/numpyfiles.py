"""NumPy's .npy and .npz files of unknown origin: arrays of numbers or text, never pickles.

What a file claims is compared with what it holds, and what its arrays will take in memory is
added up, before anything is allocated.
"""

import io
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Shaped

from mlanet.errors import MlanetError
from mlanet.files.opening import check_regular
from mlanet.files.parsing import parsing

MAX_BYTES = 1024**3
"""What the arrays of a file may take in memory; Basel 2017, the largest model known, takes 0.6 of
it by the way that is counted here."""

CONVERTED = 8
"""Bytes that a number counts at least: readers convert to single or double precision."""

FREE_BYTES = 256 * 1024**2
INFLATION = 64
"""A file may take `FREE_BYTES`, or else this many times its own size: numbers as they are measured
compress two or three times, and count up to eight times as much when they are widened."""

ALLOWED_KINDS = "biufSU"
"""NumPy's letters for booleans, numbers and text."""

_MAX_HEADER = 10_000  # NumPy's own limit
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}
"""Bytes of the number that tells the header's length, by the format's version."""
_BLOCK = 1 << 20


def read_npz(
    path: Path,
    failure: type[MlanetError],
    trouble: str,
    *,
    names: Collection[str] | None = None,
    max_bytes: int = MAX_BYTES,
    missing: str = "file",
) -> dict[str, np.ndarray]:
    """Arrays of an npz file by name.

    Args:
        path: the file.
        failure: the error to raise.
        trouble: what a file that cannot be read is: "not a face model in ...".
        names: which arrays are read, if they are there; all by default.
        max_bytes: what these may take together.
        missing: what the message calls a file that is not there.

    Raises:
        MlanetError: of the class `failure`: the file is missing, no regular file, damaged, holds
            pickles, claims more than it has or takes more than allowed.
    """
    size = check_regular(path, failure, missing=missing)
    with parsing(path, trouble, failure), path.open("rb") as file:
        return npz_arrays(file, size, names, max_bytes)


def read_npy(
    path: Path,
    failure: type[MlanetError],
    trouble: str,
    *,
    max_bytes: int = MAX_BYTES,
    missing: str = "file",
) -> Shaped[np.ndarray, "..."]:
    """The array of an npy file; arguments and errors as of `read_npz`."""
    size = check_regular(path, failure, missing=missing)
    with parsing(path, trouble, failure), path.open("rb") as file:
        return npy_array(file, size, max_bytes)


def npz_arrays(
    file: IO[bytes],
    size: int,
    names: Collection[str] | None = None,
    max_bytes: int = MAX_BYTES,
) -> dict[str, np.ndarray]:
    """Arrays of an open npz file of `size` bytes; use it within `parsing`.

    Raises:
        Exception: one of `PARSER_ERRORS`: as `read_npz`.
    """
    budget = min(max_bytes, max(FREE_BYTES, INFLATION * size))
    with zipfile.ZipFile(file) as archive:
        members = _members(archive, names)
        total = 0
        for name, member in members.items():
            total += _claimed(archive, name, member)
            if total > budget:
                raise ValueError(f"it decompresses to more than {_amount(budget)}")
        return {name: _array(archive, member, budget) for name, member in members.items()}


def npy_array(file: IO[bytes], size: int, max_bytes: int = MAX_BYTES) -> Shaped[np.ndarray, "..."]:
    """The array of an open npy file of `size` bytes; use it within `parsing`.

    Raises:
        Exception: one of `PARSER_ERRORS`: it is malformed, holds a pickle, claims more numbers than
            the file has, or takes more than allowed.
    """
    shape, fortran, dtype = npy_header(file)
    count = _count(shape)
    if count * max(dtype.itemsize, CONVERTED) > max_bytes:
        raise ValueError(f"it takes more than {_amount(max_bytes)}")
    if count * dtype.itemsize > size:
        raise ValueError("the array is longer than the file")
    values = np.empty(count, dtype)
    filled = values.view(np.uint8) if values.nbytes else np.zeros(0, np.uint8)
    for start in range(0, values.nbytes, _BLOCK):
        block = file.read(min(_BLOCK, values.nbytes - start))
        if len(block) != min(_BLOCK, values.nbytes - start):
            raise ValueError("the array is longer than the file")
        filled[start : start + len(block)] = np.frombuffer(block, np.uint8)
    return values.reshape(shape, order="F" if fortran else "C")


def npy_header(
    file: IO[bytes], *, pickled: bool = False
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether it lies in Fortran's order, and type of an open npy file's array.

    Args:
        file: where the npy file begins; it is left where the numbers begin.
        pickled: whether the array may be a pickle (type `O`), which is not read.

    Raises:
        Exception: one of `PARSER_ERRORS`: the header is malformed, or the array is of another kind.
    """
    version = np.lib.format.read_magic(file)
    width = _LENGTH_BYTES.get(version)
    if width is None:
        raise ValueError(f"npy version {version}")
    length = file.read(width)
    count = int.from_bytes(length, "little")
    if len(length) != width or count > _MAX_HEADER:
        raise ValueError("no npy header")
    header = io.BytesIO(length + file.read(count))
    parts = np.lib.format
    read = parts.read_array_header_1_0 if width == 2 else parts.read_array_header_2_0
    shape, fortran, dtype = read(header)
    objects = pickled and dtype == np.dtype(object)
    if not objects and (dtype.hasobject or dtype.kind not in ALLOWED_KINDS):
        raise ValueError("the array holds Python objects" if dtype.hasobject else str(dtype))
    return shape, fortran, dtype


def _members(
    archive: zipfile.ZipFile, names: Collection[str] | None
) -> Mapping[str, zipfile.ZipInfo]:
    found: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = member.filename.removesuffix(".npy")
        if name == member.filename or (names is not None and name not in names):
            continue
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError("it is compressed in a way that NumPy does not write")
        found[name] = member
    return found


def _claimed(archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo) -> int:
    """What an array takes by its header once it is converted."""
    with archive.open(member) as file:
        shape, _, dtype = npy_header(file)
    count = _count(shape)
    if count * dtype.itemsize > member.file_size:
        raise ValueError(f"{name!r} claims more numbers than it holds")
    return count * max(dtype.itemsize, CONVERTED)


def _array(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, max_bytes: int
) -> Shaped[np.ndarray, "..."]:
    with archive.open(member) as file:
        found = npy_array(file, member.file_size, max_bytes)
        if file.read(1):
            raise ValueError("bytes after the array")
    return found


def _count(shape: tuple[int, ...]) -> int:
    if any(side < 0 for side in shape):
        raise ValueError(f"an array of the shape {shape}")
    return int(np.prod(shape, dtype=object))


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 2**20:.0f} MiB"
