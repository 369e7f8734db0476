"""The photos that a command line names: files, folders, patterns, standard input."""

import glob
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mlanet.errors import ImageError, UsageError
from mlanet.files import PHOTO_SUFFIXES, Origin, list_files, without_results
from mlanet.files.manifest import absolute

if TYPE_CHECKING:
    import numpy as np

STANDARD_INPUT = "-"

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/|data:", re.IGNORECASE)
"""A scheme has two letters at least: `C:/` is a drive."""

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo to be read.

    Attributes:
        path: of its file; None for standard input.
    """

    path: Path | None

    @property
    def name(self) -> str:
        """What lines call it."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def stem(self) -> str:
        """What its results are called after."""
        return "stdin" if self.path is None else self.path.stem

    def read(self) -> "tuple[np.ndarray, Origin]":
        """The picture, `(H, W, 3)` uint8 upright sRGB, and what tells it from others.

        Raises:
            ImageError: it cannot be read.
        """
        from mlanet.image import read_image

        if self.path is None:
            stream = _HashedStream(sys.stdin.buffer)
            image = read_image(stream, name=self.name)
            return image, Origin(None, stream.sha256)
        image = read_image(self.path)
        try:
            return image, Origin.of_file(self.path)
        except OSError as error:
            raise ImageError(f"{self.name}: cannot be read ({error.strerror})") from error


def photos_of(
    words: Iterable[str | os.PathLike[str]], *, recursive: bool = False
) -> tuple[list[Photo], list[str]]:
    """The photos that words name, each once, in the words' order.

    A word is the path of a file; of a folder, for the photos in it by their endings; a pattern
    with `*`, `?`, `[...]`, `**`, for the photos it fits; or `-`, for standard input. What exists
    under a name is meant by it, whatever it looks like. Hidden files are left out of folders and
    patterns, as are mlanet's own results.

    Args:
        words: of the command line.
        recursive: whether folders below given folders are looked into, too.

    Returns:
        The photos, and one line for each word that names none.

    Raises:
        UsageError: standard input is to be read and is a terminal.
    """
    found: dict[str, Photo] = {}
    problems: list[str] = []
    for word in [os.fspath(word) for word in words]:
        if word == STANDARD_INPUT:
            if sys.stdin is None or sys.stdin.isatty():
                raise UsageError("- reads a photo from standard input: lead one into it")
            found[word] = Photo(None)
            continue
        paths, problem = _paths_of(word, recursive)
        for path in paths:
            found.setdefault(absolute(path), Photo(path))
        if problem:
            problems.append(problem)
    return list(found.values()), problems


def _paths_of(word: str, recursive: bool) -> tuple[list[Path], str]:
    path = Path(word)
    if os.path.isdir(word):  # noqa: PTH112 - also takes names that Path cannot ask for
        try:
            listed = _photos_in(path, recursive)
        except OSError as error:
            return [], f"{word}: cannot be listed ({error.strerror})"
        hint = "" if recursive else " (--recursive looks into its folders)"
        return listed, "" if listed else f"{word}: there is no photo in this folder{hint}"
    if os.path.lexists(word):
        return [path], ""
    if _ADDRESS.match(word):
        return [], f"{word}: is an address; mlanet opens no connection, save the photo first"
    if not _MAGIC.search(word):
        return [path], ""  # reading it says what is wrong
    try:
        fitting = _fitting(word, recursive)
    except OSError as error:
        return [], f"{word}: {error.filename} cannot be listed ({error.strerror})"
    return fitting, "" if fitting else f"{word}: there is no such file, and no photo fits it"


def _photos_in(folder: Path, recursive: bool) -> list[Path]:
    return without_results(list_files(folder, PHOTO_SUFFIXES, recursive=recursive))


def _fitting(pattern: str, recursive: bool) -> list[Path]:
    """The photos that a pattern fits; folders that it fits are looked into."""
    fitting: list[Path] = []
    for name in sorted(glob.glob(_literal_start(pattern), recursive=True)):  # noqa: PTH207
        path = Path(name)
        if path.is_dir():
            fitting += _photos_in(path, recursive)
        elif path.suffix.lower() in PHOTO_SUFFIXES and path.is_file():
            fitting.append(path)
    return without_results(fitting)


def _literal_start(pattern: str) -> str:
    """The pattern with the folders in front that exist as they are written made literal."""
    path = Path(pattern)
    for folder in path.parents:
        if _MAGIC.search(str(folder)) and folder.is_dir():
            return str(Path(glob.escape(str(folder)), *path.parts[len(folder.parts) :]))
    return pattern


class _HashedStream:
    """A stream that knows the hash of what was read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = sha256()

    def read(self, size: int = -1, /) -> bytes:
        """As of the stream."""
        content = self._stream.read(size)
        self._digest.update(content)
        return content

    @property
    def sha256(self) -> str:
        """Of all that was read."""
        return self._digest.hexdigest()
