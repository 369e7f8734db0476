"""The manifest of a result folder: from which photo it is, and what mlanet wrote there."""

import hashlib
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlanet.errors import DataError
from mlanet.files.parsing import parsing, read_json
from mlanet.files.writing import atomic_path
from mlanet.version import __version__

MANIFEST = "mlanet-result.json"
"""Name of the file in each result folder; described in docs/reference/output.md."""

SCHEMA_VERSION = 1
_MAX_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Origin:
    """The photo of a result.

    Attributes:
        path: absolute, links to its folder resolved; None for standard input.
        sha256: of the photo's bytes.
    """

    path: str | None
    sha256: str

    @classmethod
    def of_file(cls, path: Path) -> "Origin":
        """The photo in a file.

        Raises:
            OSError: it cannot be read.
        """
        return cls(absolute(path), sha256_of(path))

    @classmethod
    def of_bytes(cls, content: bytes) -> "Origin":
        """A photo from standard input."""
        return cls(None, hashlib.sha256(content).hexdigest())

    def same_photo(self, other: "Origin") -> bool:
        """Whether results of both are results of one photo: of one path, else of one content."""
        if self.path is None or other.path is None:
            return self == other
        return self.path == other.path


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file as mlanet wrote it."""

    name: str
    bytes: int
    sha256: str

    def matches(self, path: Path) -> bool:
        """Whether there is still this file: a regular one of the same content."""
        try:
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != self.bytes:
                return False
            return sha256_of(path) == self.sha256
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a result folder says of itself.

    While a result is replaced, a name may be listed with its old and its new content.

    Attributes:
        mlanet: the version that wrote it.
        origin: the photo.
        files: in the folder.
        options: what else decided how the result looks, as plain values; None if not recorded.
    """

    mlanet: str
    origin: Origin
    files: tuple[WrittenFile, ...]
    options: dict[str, Any] | None = None

    @classmethod
    def of_folder(
        cls, folder: Path, origin: Origin, options: dict[str, Any] | None = None
    ) -> "Manifest":
        """A manifest of all files in a folder.

        Raises:
            OSError: one cannot be read.
        """
        written = [
            WrittenFile(path.name, path.stat().st_size, sha256_of(path))
            for path in sorted(folder.iterdir())
        ]
        return cls(__version__, origin, tuple(written), options)

    @property
    def names(self) -> frozenset[str]:
        """The names of all files."""
        return frozenset(file.name for file in self.files)

    def owns(self, path: Path) -> bool:
        """Whether a file in the manifest's folder is as mlanet wrote it."""
        return any(file.name == path.name and file.matches(path) for file in self.files)

    def is_whole(self, folder: Path) -> bool:
        """Whether the folder still holds every file as mlanet wrote it."""
        return all(file.matches(folder / file.name) for file in self.files)

    def joined(self, other: "Manifest") -> "Manifest":
        """A manifest of the files of both, from the other's photo."""
        files = tuple(dict.fromkeys([*self.files, *other.files]))
        return Manifest(other.mlanet, other.origin, files, None)  # of neither

    def write(self, path: Path) -> None:
        """Write it whole, or leave what is there.

        Raises:
            OSError: it cannot be written.
        """
        content = {
            "schema": SCHEMA_VERSION,
            "mlanet": self.mlanet,
            "photo": asdict(self.origin),
            **({} if self.options is None else {"options": self.options}),
            "files": [asdict(file) for file in self.files],
        }
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a folder; None if there is none that mlanet could have written."""
    path = folder / MANIFEST
    try:
        if path.is_symlink():
            return None
        content: Any = read_json(path, DataError, max_bytes=_MAX_BYTES)
        with parsing(path, "not a manifest", DataError):
            return _manifest(content)
    except (DataError, OSError):
        return None


def absolute(path: Path) -> str:
    """The path that tells a photo from others: absolute, links to its folder resolved."""
    return str(path.parent.resolve() / path.name)


def sha256_of(path: Path) -> str:
    """The hash of a file's content.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest(content: dict[str, Any]) -> Manifest:
    """Checked throughout: names decide which files are removed."""
    if content["schema"] != SCHEMA_VERSION:
        raise ValueError("of another schema")
    photo = content["photo"]
    if not isinstance(photo["path"], str | None):
        raise TypeError("the photo's path is no text")
    files = tuple(_written_file(entry) for entry in content["files"])
    options = content.get("options")
    if not isinstance(options, dict | None):
        raise TypeError("its options are no object")
    origin = Origin(photo["path"], str(photo["sha256"]))
    return Manifest(str(content["mlanet"]), origin, files, options)


def _written_file(entry: dict[str, Any]) -> WrittenFile:
    name, size, digest = entry["name"], entry["bytes"], entry["sha256"]
    if not (isinstance(name, str) and isinstance(size, int) and isinstance(digest, str)):
        raise TypeError("name, size or hash is of another type")
    if name != os.path.basename(name) or name in ("", ".", "..", MANIFEST):  # noqa: PTH119
        raise ValueError("a file's name is none")
    return WrittenFile(name, size, digest)
