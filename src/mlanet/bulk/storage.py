"""Folders that a batch is written into: on this machine, or by address on other storage."""

import os
import tempfile
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from mlanet.errors import DataError, MlanetError
from mlanet.files import atomic_folder, atomic_path, is_hidden, remove_leftovers
from mlanet.files.addresses import file_system, is_address, storage_errors

UNFINISHED = ".mlanet-"
"""How the names of files begin that are being written."""


class Storage(Protocol):
    """A folder whose files appear whole or not at all. Names in it have `/` between their parts."""

    def __str__(self) -> str: ...

    def is_empty(self) -> bool:
        """Whether nothing is in it, or it is not there."""
        ...

    def make(self, *names: str) -> None:
        """Make it, and folders in it; remove what killed runs left unfinished there."""
        ...

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        ...

    def listed(self, folder: str, suffix: str) -> list[str]:
        """Names, sorted, of a folder's files with an ending; hidden ones are left out."""
        ...

    def read(self, name: str) -> bytes:
        """A file's content.

        Raises:
            DataError: it is not there or cannot be read.
        """
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, or replace it.

        Raises:
            MlanetError, OSError: it cannot be written.
        """
        ...

    def folder(self, name: str) -> AbstractContextManager[Path | None]:
        """A new local folder whose files lie in the folder `name` when the block ends.

        None where they are there already.
        """
        ...


def storage_of(folder: Path | str) -> Storage:
    """A folder by path, or by address.

    Raises:
        UsageError, MlanetError: the address cannot be used.
    """
    if isinstance(folder, str) and is_address(folder):
        return _Remote(folder.rstrip("/"))
    return _Local(Path(folder))


class _Local:
    """A folder of this machine, or of a disk that is mounted on all."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __str__(self) -> str:
        return str(self._root)

    def is_empty(self) -> bool:
        return not self._root.is_dir() or not any(self._root.iterdir())

    def make(self, *names: str) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self._root)
        for name in names:
            (self._root / name).mkdir(exist_ok=True)
            remove_leftovers(self._root / name)

    def has(self, name: str) -> bool:
        return (self._root / name).is_file()

    def listed(self, folder: str, suffix: str) -> list[str]:
        if not (self._root / folder).is_dir():
            return []
        paths = sorted((self._root / folder).iterdir())
        return [
            f"{folder}/{path.name}"
            for path in paths
            if path.suffix == suffix and not is_hidden(path)
        ]

    def read(self, name: str) -> bytes:
        path = self._root / name
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror})") from error

    def write(self, name: str, content: bytes) -> None:
        with atomic_path(self._root / name) as temporary:
            temporary.write_bytes(content)

    @contextmanager
    def folder(self, name: str) -> Generator[Path | None, None, None]:
        place = self._root / name
        if os.path.lexists(place):
            yield None
            return
        try:
            with atomic_folder(place) as staging:
                yield staging
        except FileExistsError:
            if not os.path.lexists(place):  # else another process did the same part meanwhile
                raise


class _Remote:
    """A folder of a storage that fsspec knows."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._system, self._root = file_system(address)

    def __str__(self) -> str:
        return self._address

    def is_empty(self) -> bool:
        with self._errors("", MlanetError):
            return not self._names("")

    def make(self, *names: str) -> None:
        for name in ("", *names):
            with self._errors(name, MlanetError):
                self._system.makedirs(self._path(name), exist_ok=True)
                for own in self._names(name):
                    if own.startswith(UNFINISHED):
                        self._system.rm(f"{self._path(name)}/{own}")

    def has(self, name: str) -> bool:
        with self._errors(name, MlanetError):
            return self._system.isfile(self._path(name))

    def listed(self, folder: str, suffix: str) -> list[str]:
        with self._errors(folder, DataError):
            names = sorted(self._names(folder))
        return [
            f"{folder}/{name}"
            for name in names
            if name.endswith(suffix) and not name.startswith(".")
        ]

    def read(self, name: str) -> bytes:
        with self._errors(name, DataError):
            return self._system.cat_file(self._path(name))

    def write(self, name: str, content: bytes) -> None:
        folder, _, own = self._path(name).rpartition("/")
        beside = f"{folder}/{UNFINISHED}{token_hex(8)}-{own}"
        with self._errors(name, MlanetError):
            try:
                self._system.pipe_file(beside, content)
                self._system.mv(beside, self._path(name))
            except BaseException:
                with suppress(Exception):
                    self._system.rm(beside)
                raise

    @contextmanager
    def folder(self, name: str) -> Generator[Path | None, None, None]:
        with tempfile.TemporaryDirectory() as local:
            yield Path(local)
            with self._errors(name, MlanetError):  # again and again the same files
                self._system.put(f"{local}/", f"{self._path(name)}/", recursive=True)

    def _names(self, folder: str) -> list[str]:
        self._system.invalidate_cache()
        try:
            paths = self._system.ls(self._path(folder), detail=False)
        except FileNotFoundError:  # where there are no folders, an empty one is not there
            return []
        return [path.rstrip("/").rpartition("/")[2] for path in paths]

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if name else self._root

    def _errors(self, name: str, failure: type[MlanetError]) -> AbstractContextManager[None]:
        return storage_errors(f"{self._address}/{name}" if name else self._address, failure)
