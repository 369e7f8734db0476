"""The photos that a command line names, and the folders that their results go to."""

import glob
import os
import re
import sys
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeAlias

import tyro

from mlanet.cli.common import Flag
from mlanet.cli.outputs import Outputs
from mlanet.errors import ImageError, UsageError
from mlanet.files import (
    PHOTO_SUFFIXES,
    Origin,
    Result,
    finished_result,
    folder_names,
    list_files,
    read_manifest,
    remove_leftovers,
    result_folder,
    without_results,
)
from mlanet.files.manifest import absolute

if TYPE_CHECKING:
    import numpy as np

    from mlanet.morphable import Transfer
    from mlanet.reconstruction import Reconstruction

STANDARD_INPUT = "-"

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+:/|data:", re.IGNORECASE)
"""A scheme has two letters at least: `C:/` is a drive."""

_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo to be read.

    Attributes:
        path: of its file; None for standard input.
        title: what lines call it instead of its path.
    """

    path: Path | None
    title: str = ""

    @property
    def name(self) -> str:
        """What lines call it."""
        if self.title:
            return self.title
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


@dataclass(frozen=True, slots=True)
class PhotoWords:
    """Which photos."""

    photos: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="PHOTO", help_behavior_hint=""),
    ] = ()
    """Files, folders, patterns such as '*.jpg', or - for standard input. JPEG, PNG, WebP, GIF, BMP,
    TIFF, AVIF; HEIC with the extra heic."""

    recursive: Flag = False
    """Look into the folders of given folders, too."""

    example: Flag = False
    """Use the photo that ships with mlanet (Eileen Collins; NASA, public domain)."""

    def check(self) -> None:
        """See that there is a photo.

        Raises:
            UsageError: none is named.
        """
        if not self.photos and not self.example:
            raise UsageError("give at least one photo, or --example")

    def found(self) -> tuple[list[Photo], list[str]]:
        """The photos, and one line for each word that names none.

        Raises:
            AssetError: the photo that ships is missing or altered.
            UsageError: standard input is to be read and is a terminal.
        """
        from mlanet.assets import verified_path

        given, problems = photos_of(self.photos, recursive=self.recursive)
        if self.example:
            shipped = verified_path("example-image")
            given = [photo for photo in given if photo.path != shipped]
            given.append(Photo(shipped, f"{shipped.name} (the example)"))
        return given, problems


PhotoOptions: TypeAlias = Annotated[PhotoWords, tyro.conf.OmitArgPrefixes]


def photos_of(
    words: Iterable[str | os.PathLike[str]],
    *,
    recursive: bool = False,
    also: frozenset[str] = frozenset(),
) -> tuple[list[Photo], list[str]]:
    """The photos that words name, each once, in the words' order.

    A word is the path of a file; of a folder, for the photos in it by their endings; a pattern
    with `*`, `?`, `[...]`, `**`, for the photos it fits; or `-`, for standard input. What exists
    under a name is meant by it, whatever it looks like. Hidden files are left out of folders and
    patterns, as are mlanet's own results.

    Args:
        words: of the command line.
        recursive: whether folders below given folders are looked into, too.
        also: endings of other files that are taken for photos.

    Returns:
        The photos, and one line for each word that names none.

    Raises:
        UsageError: standard input is to be read and is a terminal.
    """
    suffixes = PHOTO_SUFFIXES | also
    found: dict[str, Photo] = {}
    problems: list[str] = []
    for word in [os.fspath(word) for word in words]:
        if word == STANDARD_INPUT:
            if sys.stdin is None or sys.stdin.isatty():
                raise UsageError("- reads a photo from standard input: lead one into it")
            found[word] = Photo(None)
            continue
        paths, problem = _paths_of(word, suffixes, recursive)
        for path in paths:
            found.setdefault(absolute(path), Photo(path))
        if problem:
            problems.append(problem)
    return list(found.values()), problems


def _paths_of(word: str, suffixes: frozenset[str], recursive: bool) -> tuple[list[Path], str]:
    path = Path(word)
    if os.path.isdir(word):  # noqa: PTH112 - also takes names that Path cannot ask for
        try:
            listed = _photos_in(path, suffixes, recursive)
        except OSError as error:
            return [], f"{word}: cannot be listed ({error.strerror})"
        if not listed and read_manifest(path) is not None:
            return [], f"{word}: holds a result and no photo; mlanet view {word} shows it"
        hint = "" if recursive else " (--recursive looks into its folders)"
        return listed, "" if listed else f"{word}: there is no photo in this folder{hint}"
    if os.path.lexists(word):
        return [path], ""
    if _ADDRESS.match(word):
        return [], f"{word}: is an address; mlanet opens no connection, save the photo first"
    if not _MAGIC.search(word):
        return [path], ""  # reading it says what is wrong
    try:
        fitting = _fitting(word, suffixes, recursive)
    except OSError as error:
        return [], f"{word}: {error.filename} cannot be listed ({error.strerror})"
    return fitting, "" if fitting else f"{word}: there is no such file, and no photo fits it"


def _photos_in(folder: Path, suffixes: frozenset[str], recursive: bool) -> list[Path]:
    return without_results(list_files(folder, suffixes, recursive=recursive))


def _fitting(pattern: str, suffixes: frozenset[str], recursive: bool) -> list[Path]:
    """The photos that a pattern fits; folders that it fits are looked into."""
    fitting: list[Path] = []
    for name in sorted(glob.glob(_literal_start(pattern), recursive=True)):  # noqa: PTH207
        path = Path(name)
        if path.is_dir():
            fitting += _photos_in(path, suffixes, recursive)
        elif path.suffix.lower() in suffixes and path.is_file():
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


@dataclass(frozen=True, slots=True)
class Run:
    """How it runs, and what it says."""

    threads: int = 0
    """CPU threads for one photo; 0 is all there are, at most 4."""

    overwrite: Flag = False
    """Do photos again whose very result (same picture, options and version) is there already."""

    json: Flag = False
    """Print one line of JSON for each photo."""

    quiet: Flag = False
    """Say nothing but what fails."""

    def check(self) -> None:
        """Refuse a number of threads that makes no sense."""
        if self.threads < 0:
            raise UsageError(f"--threads must not be negative, got {self.threads}")


class PhotoFolders:
    """The folders below `out` into which a run's photos go (docs/reference/output.md).

    What killed runs left there is removed.
    """

    def __init__(
        self, photos: Sequence[Photo], out: Path, options: dict[str, Any] | None = None
    ) -> None:
        """Folders for `photos`; `options` decide, beside the photo, how a result looks."""
        remove_leftovers(out)
        self._options = options
        self._photos = photos
        self._out = out
        self._preferred = folder_names(photo.stem for photo in photos)
        self._inputs = [photo.path for photo in photos if photo.path is not None]

    def finished(self, number: int) -> Path | None:
        """Where the very result of a photo lies already; None without, and for standard input."""
        photo = self._photos[number]
        if self._options is None or photo.path is None or not photo.path.is_file():
            return None
        try:
            return finished_result(self._out, photo.stem, photo.path, self._options)
        except OSError:  # doing the photo says what is wrong
            return None

    @contextmanager
    def result(self, number: int, origin: Origin) -> Generator[Result, None, None]:
        """The folder of a photo, as `result_folder` gives it.

        Raises:
            OSError: it cannot be written to.
        """
        with result_folder(
            self._out,
            self._photos[number].stem,
            origin,
            preferred=self._preferred[number],
            inputs=self._inputs,
            options=self._options,
        ) as result:
            yield result


def done_line(photo: Photo, done: str, result: Result) -> str:
    """What a run says of a photo: it ends with the folder, and says if that is a further one."""
    because = f"; {result.moved_because}" if result.moved_because else ""
    return f"{photo.name}: {done}{because} -> {result.folder}"


def write_faces(
    faces: "Sequence[Reconstruction]",
    folder: Path,
    outputs: Outputs = Outputs(),
    transfer: "Transfer | None" = None,
    *,
    title: str = "face",
) -> None:
    """Write a photo's faces, pictures and page, which `title` stands on.

    Of a crowd, each face's mesh and texture are let go when they are written.

    Raises:
        OSError: the folder cannot be written to.
        ImageError: a picture cannot be written.
    """
    from mlanet.image import write_image
    from mlanet.reconstruction import draw_faces
    from mlanet.viewing import MAX_HEADS, write_page

    formats = outputs.format_names
    for number, face in enumerate(faces):
        name = f"face_{number:02d}"
        written = face if len(faces) == 1 else replace(face)  # what it computes goes with it
        texture = outputs.texture_choice
        written.save(folder, name, formats, extent=outputs.mesh, texture=texture)
        if transfer is not None:
            written.save_topology(transfer, folder, name, formats, texture=texture)
    for kind in outputs.pictures:
        write_image(folder / f"{kind}.png", draw_faces(faces, kind, hair=not outputs.no_hair))
    shown = faces if len(faces) == 1 else (replace(face) for face in faces)
    heads = [
        face.viewed(f"face_{number:02d}", detail=outputs.detail, hair=not outputs.no_hair)
        for number, face in enumerate(islice(shown, MAX_HEADS))
    ]
    write_page(folder / "view.html", heads, title)
