"""npz files of unknown origin: arrays out, or an error; never more memory than they may take."""

import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import Shaped

from mlanet.errors import AssetError

MAX_BYTES = 2 * 1024**3
"""What a model may take in memory; the largest known, Basel 2009, takes a third of it."""


def read_npz(path: Path, wanted: str, max_bytes: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """All arrays of an npz file, read without pickles and only after their sizes are known.

    Args:
        path: the file.
        wanted: what the file should be, for messages.
        max_bytes: what its arrays may take together.

    Raises:
        AssetError: the file is missing, damaged or larger than allowed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            checked_size(path, sum(member.file_size for member in members), max_bytes)
            return {
                member.filename.removesuffix(".npy"): _array(archive, member)
                for member in members
                if member.filename.endswith(".npy")
            }
    except FileNotFoundError as error:
        raise AssetError(f"{path}: no such face model") from error
    except (
        OSError,
        ValueError,
        TypeError,
        EOFError,
        NotImplementedError,
        RuntimeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise AssetError(f"{path}: not a face model in {wanted}") from error


def checked_size(path: Path, size: int, max_bytes: int = MAX_BYTES) -> None:
    """Nothing, if a file's content fits.

    Raises:
        AssetError: it does not.
    """
    if size > max_bytes:
        raise AssetError(
            f"{path}: not a face model: it decompresses to more than {max_bytes / 1e9:.1f} GB"
        )


def array_of_file(file: IO[bytes], size: int) -> Shaped[np.ndarray, "..."]:
    """The array of an npy file of `size` bytes.

    Raises:
        ValueError: it is malformed, holds objects or claims more numbers than the file has.
    """
    shape, fortran, dtype = _header(file)
    if dtype.hasobject:
        raise ValueError("the array holds Python objects")
    count = int(np.prod(shape, dtype=object))
    if count < 0 or count * dtype.itemsize > size:
        raise ValueError("the array is longer than the file")
    values = np.frombuffer(file.read(count * dtype.itemsize), dtype=dtype, count=count)
    return values.reshape(shape, order="F" if fortran else "C")


def claimed_bytes(file: IO[bytes]) -> int:
    """What the array of an npy file takes by its header, whether or not the file holds it.

    Raises:
        ValueError: the header is malformed.
    """
    shape, _, dtype = _header(file)
    return int(np.prod(shape, dtype=object)) * dtype.itemsize


def array_kind(file: IO[bytes]) -> str:
    """NumPy's letter for what an npy file holds (`O`: a pickle follows); reads its header.

    Raises:
        ValueError: it is malformed.
    """
    return _header(file)[2].kind


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    try:
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        if version == (2, 0):
            return np.lib.format.read_array_header_2_0(file)
    except Exception as error:  # the header is parsed as Python, with all that can go wrong
        raise ValueError("npy header") from error
    raise ValueError(f"npy version {version}")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Shaped[np.ndarray, "..."]:
    with archive.open(member) as file:
        found = array_of_file(file, member.file_size)
        if file.read(1):
            raise ValueError("bytes after the array")
    return found
