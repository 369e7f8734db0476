"""Where pictures come from: files, members of tar files, rows of Parquet files.

All may lie on this machine or, by address, on other storage.
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from mlanet.datasets import SkippedSamples
from mlanet.datasets.archive import TarIndex
from mlanet.errors import DataError, ImageError, MlanetError
from mlanet.files import PHOTO_SUFFIXES, parsing
from mlanet.files.addresses import is_address, open_binary, size_of, storage_errors
from mlanet.image.sources import file_content, path_content

SHARD_SUFFIXES = frozenset({".tar", ".parquet"})
"""Endings of files that hold many pictures."""

ROWS_AT_ONCE = 16
"""Of a Parquet file whose pictures are in memory."""

READERS = 16
"""Files of other storage that are waited for at once."""

Load: TypeAlias = Callable[[], bytes]
"""Gives a picture's encoded bytes; ImageError or DataError if it cannot be read."""


class Source(Protocol):
    """Pictures in a fixed order."""

    @property
    def origin(self) -> str:
        """What lines call it."""
        ...

    def __len__(self) -> int:
        """How many pictures."""
        ...

    def part(self, start: int, stop: int) -> "Source":
        """Some of the pictures, to be sent to another process."""
        ...

    def pictures(self) -> Iterator[tuple[str, Load]]:
        """Name and content of each picture; only what is called is read.

        Raises:
            DataError: the file that holds them cannot be read any more.
        """
        ...

    def described(self) -> dict[str, Any]:
        """Plain values that tell these pictures from others, without reading them."""
        ...


@dataclass(frozen=True, slots=True)
class PictureFiles:
    """Files of one picture each, by absolute path or address, which is the picture's name."""

    paths: tuple[str, ...]

    @property
    def origin(self) -> str:
        """The first file."""
        return self.paths[0]

    def __len__(self) -> int:
        return len(self.paths)

    def part(self, start: int, stop: int) -> "PictureFiles":
        """Some of the files."""
        return PictureFiles(self.paths[start:stop])

    def pictures(self) -> Iterator[tuple[str, Load]]:
        """The files."""
        return ((path, lambda path=path: _file_content(path)) for path in self.paths)

    def described(self) -> dict[str, Any]:
        """How many there are, and the hash of their paths."""
        paths = "\n".join(self.paths).encode("utf-8", "surrogateescape")
        return {"files": len(self.paths), "sha256": sha256(paths).hexdigest()}


@dataclass(frozen=True, slots=True)
class TarPictures:
    """Members of an uncompressed tar file, such as a WebDataset shard, by their endings.

    A picture is called `SHARD.tar/MEMBER`.
    """

    path: str
    start: int
    stop: int

    @classmethod
    def open(cls, path: str) -> tuple["TarPictures", list[str]]:
        """All pictures of a file, and a line for what is wrong with it.

        Raises:
            DataError: it cannot be read, or holds no picture.
        """
        skipped = SkippedSamples()
        index = TarIndex([path], skipped)
        count, problems = len(_picture_members(index)), list(skipped.reasons.values())
        if not count:
            raise DataError(problems[0] if problems else f"{path}: holds no pictures")
        return cls(path, 0, count), problems

    @property
    def origin(self) -> str:
        """The file."""
        return self.path

    def __len__(self) -> int:
        return self.stop - self.start

    def part(self, start: int, stop: int) -> "TarPictures":
        """Some of the members."""
        return TarPictures(self.path, self.start + start, self.start + stop)

    def pictures(self) -> Iterator[tuple[str, Load]]:
        """The members, read by their places."""
        index, members = _open_tar(self.path)
        for place in members[self.start : self.stop]:
            yield f"{self.path}/{index.member(place)[1]}", lambda at=place: index.read(at)

    def described(self) -> dict[str, Any]:
        """The file and its size."""
        size = size_of(self.path, DataError)
        return {"tar": self.path, "bytes": size, "pictures": self.stop}


@dataclass(frozen=True, slots=True)
class ParquetPictures:
    """Rows of a Parquet file with the pictures' encoded bytes in a column.

    That is a column of bytes or, as Hugging Face's `datasets` writes pictures, of structures with
    the field `bytes`. A picture is called `FILE.parquet#ROW`, from 0.
    """

    path: str
    column: str
    start: int
    stop: int

    @classmethod
    def open(cls, path: str) -> "ParquetPictures":
        """All pictures of a file.

        Raises:
            DataError: it cannot be read, or no column, or more than one, is of pictures.
        """
        with _parquet(path, "not a readable Parquet file") as file:
            columns = [field.name for field in file.schema_arrow if _holds_bytes(field.type)]
            names = ", ".join(file.schema_arrow.names)
            count = file.metadata.num_rows
        if len(columns) != 1:
            found = "several columns" if columns else "no column"
            raise DataError(
                f"{path}: has {found} of pictures' bytes among {names}; one is expected"
            )
        if not count:
            raise DataError(f"{path}: holds no pictures")
        return cls(path, columns[0], 0, count)

    @property
    def origin(self) -> str:
        """The file."""
        return self.path

    def __len__(self) -> int:
        return self.stop - self.start

    def part(self, start: int, stop: int) -> "ParquetPictures":
        """Some of the rows."""
        return ParquetPictures(self.path, self.column, self.start + start, self.start + stop)

    def pictures(self) -> Iterator[tuple[str, Load]]:
        """The rows; of a row group only what leads to them is read."""
        with _parquet(self.path, "cannot be read") as file:
            groups, row = _row_groups(file.metadata, self.start, self.stop)
            batches = file.iter_batches(
                ROWS_AT_ONCE, row_groups=groups, columns=[self.column], use_threads=False
            )
            for batch in batches:
                for value in batch.column(0):
                    if self.start <= row < self.stop:
                        yield f"{self.path}#{row}", lambda value=value: _content(value)
                    row += 1
                if row >= self.stop:
                    return

    def described(self) -> dict[str, Any]:
        """The file and its size."""
        return {
            "parquet": self.path,
            "bytes": size_of(self.path, DataError),
            "pictures": self.stop,
        }


def open_sources(paths: Iterable[str]) -> tuple[list[Source], list[str]]:
    """What files hold, in their order, and one line for each that cannot be used.

    Files that are no shards by their endings are pictures; neighbours make one source.

    Args:
        paths: absolute, or addresses.
    """
    with ThreadPoolExecutor(READERS) as readers:
        opened = readers.map(_opened, _neighbours(paths))
        sources, problems = [], []
        for source, lines in opened:
            sources += [] if source is None else [source]
            problems += lines
        return sources, problems


def _neighbours(paths: Iterable[str]) -> Iterator[str | PictureFiles]:
    """Shards, and what lies between them as one source."""
    files: list[str] = []
    for path in paths:
        if not _is_shard(path):
            files.append(path)
            continue
        if files:
            yield PictureFiles(tuple(files))
            files = []
        yield path
    if files:
        yield PictureFiles(tuple(files))


def _opened(given: str | PictureFiles) -> tuple[Source | None, list[str]]:
    if isinstance(given, PictureFiles):
        return given, []
    try:
        if given.lower().endswith(".tar"):
            return TarPictures.open(given)
        return ParquetPictures.open(given), []
    except (MlanetError, OSError) as error:
        return None, [str(error)]


def _is_shard(path: str) -> bool:
    return os.path.splitext(path)[1].lower() in SHARD_SUFFIXES  # noqa: PTH122 - of a million


def content_of(name: str) -> bytes:
    """A picture's bytes by its name in a table.

    Raises:
        DataError, ImageError: it is not there any more.
    """
    before, _, row = name.rpartition("#")
    if ".tar/" in name and not _is_picture(name):
        shard = name[: name.index(".tar/") + len(".tar")]
        place = _places_in_tar(shard).get(name)
        if place is not None:
            return _open_tar(shard)[0].read(place)
    elif before.lower().endswith(".parquet") and row.isdigit() and not _is_picture(name):
        found = ParquetPictures.open(before)
        for _, load in found.part(int(row), int(row) + 1).pictures():
            return load()
    else:
        return _file_content(name)
    raise DataError(f"{name}: is not there any more")


def _file_content(path: str) -> bytes:
    if not is_address(path):
        return path_content(Path(path))
    with storage_errors(path, ImageError), open_binary(path) as file:
        return file_content(file, path)


def _is_picture(name: str) -> bool:
    """Whether there is a file of a picture's whole name, as odd as that may be."""
    try:
        return size_of(name, DataError) >= 0
    except DataError:
        return False


@contextmanager
def _parquet(path: str, trouble: str) -> Generator[Any, None, None]:
    import pyarrow.parquet as pq

    size_of(path, DataError)
    with (
        parsing(path, trouble, DataError),
        open_binary(path) as content,
        pq.ParquetFile(content) as file,
    ):
        yield file


@lru_cache(maxsize=2)
def _places_in_tar(path: str) -> dict[str, int]:
    index, members = _open_tar(path)
    return {f"{path}/{index.member(place)[1]}": place for place in members}


@lru_cache(maxsize=2)
def _open_tar(path: str) -> tuple[TarIndex, list[int]]:
    index = TarIndex([path], SkippedSamples())
    return index, _picture_members(index)


def _picture_members(index: TarIndex) -> list[int]:
    suffixes = tuple(PHOTO_SUFFIXES)
    return [place for place, name in enumerate(index.names) if name.lower().endswith(suffixes)]


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_struct(kind):
        names = [kind.field(number).name for number in range(kind.num_fields)]
        return "bytes" in names and _holds_bytes(kind.field("bytes").type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _content(value: Any) -> bytes:
    content = value.as_py()
    if isinstance(content, dict):
        content = content["bytes"]
    return content or b""


def _row_groups(metadata: Any, start: int, stop: int) -> tuple[list[int], int]:
    """The row groups in which rows lie, and the number of their first row."""
    groups: list[int] = []
    first, row = 0, 0
    for group in range(metadata.num_row_groups):
        end = row + metadata.row_group(group).num_rows
        if end > start and row < stop:
            first = row if not groups else first
            groups.append(group)
        row = end
    return groups, first
