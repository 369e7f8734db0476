"""Random access to the files of data sets: members of tar files, arrays of npz files."""

import io
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlanet.datasets.dataset import SkippedSamples
from mlanet.errors import DataError
from mlanet.files import PARSER_ERRORS, one_line
from mlanet.files.addresses import open_binary, size_of
from mlanet.files.numpyfiles import read_npz

MAX_BYTES = 8 * 1024**3
"""What the arrays of one file may take in memory."""

MAX_MEMBER_BYTES = 512 * 1024**2
"""What a member of a tar file, or a file of a sample, may have."""


class TarIndex:
    """Members of uncompressed tar files, read by position without unpacking.

    The index (name, file, offset, size) is built once. Each read opens its tar file anew, so
    that an index may be shared by threads and pickled to worker processes. A member's name is
    its last path component; names need not be unique. Members whose names begin with a dot, such
    as `._photo.jpg` of macOS, are passed over.

    Args:
        paths: The files; strings may also be addresses of other storage.
        skipped: Where files that cannot be read are noted, whose whole members are then used all
            the same; without it they are an error.

    Attributes:
        names: Names of all members in the order of the files.

    Raises:
        DataError: a file is no uncompressed tar or is truncated.
    """

    names: tuple[str, ...]

    def __init__(self, paths: Sequence[Path | str], skipped: SkippedSamples | None = None) -> None:
        self._places = [place for path in paths for place in _places(str(path), skipped)]
        self.names = tuple(place.name for place in self._places)

    def __len__(self) -> int:
        return len(self._places)

    def member(self, position: int) -> tuple[str, str]:
        """Tar file and full name in it of the member at a position in `names`."""
        place = self._places[position]
        return place.path, place.member

    def read(self, position: int) -> bytes:
        """Content of the member at a position in `names`.

        Raises:
            DataError: its tar file cannot be read any more.
        """
        place = self._places[position]
        try:
            with open_binary(place.path) as file:
                file.seek(place.offset)
                data = file.read(place.size)
        except PARSER_ERRORS as error:  # storage has errors of its own
            raise DataError(f"{place.path}: cannot be read ({one_line(error)})") from error
        if len(data) != place.size:
            raise DataError(f"{place.path}: truncated inside {place.name}; copy the file again")
        return data

    def match(self, names: Sequence[str]) -> list[int]:
        """Positions of the members called `names`; members that nobody names are left out.

        A name that occurs several times stands for several members, in the order of the files.

        Raises:
            DataError: a name occurs more or less often in `names` than among the members.
        """
        return positions_of(names, self.names, "in the tar files")


def positions_of(names: Sequence[str], available: Sequence[str], where: str) -> list[int]:
    """Positions in `available` of `names`; what nobody names is left out.

    A name that occurs several times stands for several entries, in their order. Messages call the
    place `where`.

    Raises:
        DataError: a name occurs more or less often in `names` than in `available`.
    """
    positions: dict[str, list[int]] = {}
    for position, name in enumerate(available):
        positions.setdefault(name, []).append(position)
    for name, count in Counter(names).items():
        have = len(positions.get(name, ()))
        if have != count:
            raise DataError(f"{name}: named {count} times, but {have} times {where}")
    following = {name: iter(positions[name]) for name in set(names)}
    return [next(following[name]) for name in names]


class _Place(NamedTuple):
    """Where a member of a tar file lies, in bytes."""

    member: str
    path: str
    offset: int
    size: int

    @property
    def name(self) -> str:
        return self.member.rsplit("/", 1)[-1]


def _places(path: str, skipped: SkippedSamples | None) -> list[_Place]:
    places: list[_Place] = []
    problem: Exception | None = None
    size = size_of(path, DataError)
    try:
        with open_binary(path) as file, tarfile.open(fileobj=file, mode="r:") as archive:
            for member in archive:
                if not 0 <= member.size <= MAX_MEMBER_BYTES:
                    raise ValueError(f"{member.name} has a size of {member.size}")
                hidden = member.name.rsplit("/", 1)[-1].startswith(".")
                if member.isreg() and not hidden:  # one by one: what precedes an error is kept
                    place = _Place(member.name, path, member.offset_data, member.size)
                    places.append(place)
    except PARSER_ERRORS as error:  # headers may claim anything
        problem = error
    whole = [place for place in places if place.offset + place.size <= size]
    if problem is None and len(whole) == len(places):
        return places
    if len(whole) < len(places):
        inside = one_line(places[len(whole)].name)
        reason = f"{path}: truncated inside {inside}; copy the file again"
    else:
        reason = f"{path}: not a readable uncompressed tar file ({one_line(problem)})"
    if skipped is None:
        raise DataError(reason) from problem
    skipped.add(Path(path).name, reason)
    return whole


def add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Append bytes to a tar file under a name; nothing else is recorded of them."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def fits(shape: tuple[int, ...], wanted: Sequence[int | None]) -> bool:
    """Whether a shape is as wanted, where None is any length."""
    return len(shape) == len(wanted) and all(
        want in (None, have) for want, have in zip(wanted, shape, strict=True)
    )


def load_arrays(
    path: Path,
    required: Mapping[str, tuple[int | None, ...]],
    optional: Mapping[str, tuple[int | None, ...]] | None = None,
    *,
    finite: bool = True,
) -> dict[str, np.ndarray]:
    """Named arrays of an npz file that all have one row for each sample.

    Args:
        path: The file. Pickled objects in it are refused.
        required: Shape behind the first axis of each array that must be there; None is any
            length.
        optional: The same of arrays that may be there.
        finite: Whether numbers that are not finite are an error.

    Raises:
        DataError: the file or an array is missing or malformed, or the arrays take more than
            `MAX_BYTES`.
    """
    shapes = {**required, **(optional or {})}
    arrays = read_npz(
        path, DataError, "not a readable npz file", names=shapes.keys(), max_bytes=MAX_BYTES
    )
    for name in required:
        if name not in arrays:
            raise DataError(f"{path}: the array {name!r} is missing")
    rows = {len(array) if array.ndim else -1 for array in arrays.values()}
    if len(rows) != 1 or -1 in rows:
        raise DataError(f"{path}: the arrays {', '.join(arrays)} differ in length")
    for name, array in arrays.items():
        expected = shapes[name]
        if not fits(array.shape[1:], expected):
            raise DataError(f"{path}: {name!r} has the shape {array.shape}, not (n, *{expected})")
        if array.dtype.kind not in "fiubU":
            raise DataError(f"{path}: {name!r} has the type {array.dtype}")
        if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise DataError(f"{path}: {name!r} holds numbers that are not finite")
    return arrays
