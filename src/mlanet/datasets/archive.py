"""Random access to the files of data sets: members of tar files, arrays of npz files."""

import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlanet.errors import DataError


class TarIndex:
    """Members of uncompressed tar files, read by position without unpacking.

    The index (name, file, offset, size) is built once. Each read opens its tar file anew, so
    that an index may be shared by threads and pickled to worker processes. A member's name is
    its last path component; names need not be unique.

    Attributes:
        names: Names of all members in the order of the files.

    Raises:
        DataError: a file is no uncompressed tar or is truncated.
    """

    names: tuple[str, ...]

    def __init__(self, paths: Sequence[Path]) -> None:
        self._places = [place for path in paths for place in _places(path)]
        self.names = tuple(place.name for place in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def read(self, position: int) -> bytes:
        """Content of the member at a position in `names`.

        Raises:
            DataError: its tar file cannot be read any more.
        """
        place = self._places[position]
        try:
            with place.path.open("rb") as file:
                file.seek(place.offset)
                data = file.read(place.size)
        except OSError as error:
            raise DataError(f"{place.path}: cannot be read ({error})") from error
        if len(data) != place.size:
            raise DataError(f"{place.path}: truncated inside {place.name}; copy the file again")
        return data

    def match(self, names: Sequence[str]) -> list[int]:
        """Positions of the members called `names`; members that nobody names are left out.

        A name that occurs several times stands for several members, in the order of the files.

        Raises:
            DataError: a name occurs more or less often in `names` than among the members.
        """
        positions: dict[str, list[int]] = {}
        for position, name in enumerate(self.names):
            positions.setdefault(name, []).append(position)
        for name, count in Counter(names).items():
            have = len(positions.get(name, ()))
            if have != count:
                raise DataError(f"{name}: named {count} times, but {have} times in the tar files")
        following = {name: iter(positions[name]) for name in set(names)}
        return [next(following[name]) for name in names]


class _Place(NamedTuple):
    """Where a member of a tar file lies, in bytes."""

    name: str
    path: Path
    offset: int
    size: int


def _places(path: Path) -> list[_Place]:
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as archive:
            members = [member for member in archive if member.isreg()]
    except (OSError, tarfile.TarError) as error:
        raise DataError(f"{path}: not a readable uncompressed tar file ({error})") from error
    places = [
        _Place(member.name.rsplit("/", 1)[-1], path, member.offset_data, member.size)
        for member in members
    ]
    for place in places:
        if place.offset + place.size > size:
            raise DataError(f"{path}: truncated inside {place.name}; copy the file again")
    return places


def load_arrays(
    path: Path,
    required: Mapping[str, tuple[int | None, ...]],
    optional: Mapping[str, tuple[int | None, ...]] | None = None,
) -> dict[str, np.ndarray]:
    """Named arrays of an npz file that all have one row for each sample.

    Args:
        path: The file. Pickled objects in it are refused.
        required: Shape behind the first axis of each array that must be there; None is any
            length.
        optional: The same of arrays that may be there.

    Raises:
        DataError: the file or an array is missing or malformed, or a number is not finite.
    """
    shapes = {**required, **(optional or {})}
    try:
        with np.load(path, allow_pickle=False) as archive:
            found = {name: archive[name] for name in shapes if name in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable npz file ({reason})") from error
    for name in required:
        if name not in found:
            raise DataError(f"{path}: the array {name!r} is missing")
    rows = {len(array) if array.ndim else -1 for array in found.values()}
    if len(rows) != 1 or -1 in rows:
        raise DataError(f"{path}: the arrays {', '.join(found)} differ in length")
    for name, array in found.items():
        expected = shapes[name]
        fits = len(expected) == array.ndim - 1 and all(
            want in (None, have) for want, have in zip(expected, array.shape[1:], strict=False)
        )
        if not fits:
            raise DataError(f"{path}: {name!r} has the shape {array.shape}, not (n, *{expected})")
        if array.dtype.kind not in "fiubU":
            raise DataError(f"{path}: {name!r} has the type {array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{path}: {name!r} holds numbers that are not finite")
    return found
