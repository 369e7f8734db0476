"""Folders of results: one for each photo, with a manifest of what mlanet wrote there.

Whose a file is, is judged by the manifest alone: a file is mlanet's if its name, size and hash are
on the list. Anything else in a folder is the user's and is neither overwritten nor removed.
"""

import os
import sys
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import Any
from unicodedata import normalize

from mlanet.files.manifest import (
    MANIFEST,
    Manifest,
    Origin,
    absolute,
    read_manifest,
    sha256_of,
)
from mlanet.files.writing import errors_naming, remove_leftovers, unfinished_path
from mlanet.version import __version__

MAX_NAME_BYTES = 200
"""Of a folder's name, so that numbers and temporary names fit into what file systems allow."""


@dataclass(slots=True)
class Result:
    """A photo's result while it is written, and where it then lies.

    Attributes:
        staging: hidden folder beside the result; files are written here, none into subfolders.
        folder: where the result lies once the block has ended.
        moved_because: why it does not lie in the folder of the photo's name; empty if it does.
    """

    staging: Path
    folder: Path
    moved_because: str = ""


def folder_names(stems: Iterable[str]) -> list[str]:
    """A folder name for each photo of a run; equal ones are numbered.

    Names count as equal if some file system joins them: compared without case and in one Unicode
    form. They are never hidden, and never end with what Windows cuts off.

    Args:
        stems: the photos' names without their endings.
    """
    taken: set[str] = set()
    names: list[str] = []
    for stem in stems:
        name = next(name for name in _numbered(_plain(stem)) if _key(name) not in taken)
        taken.add(_key(name))
        names.append(name)
    return names


@contextmanager
def result_folder(
    out: Path,
    stem: str,
    origin: Origin,
    *,
    preferred: str = "",
    inputs: Collection[Path] = (),
    options: dict[str, Any] | None = None,
) -> Generator[Result, None, None]:
    """A photo's folder below `out`, which appears whole when the block ends, or not at all.

    It replaces the result of the same photo. Otherwise it takes the first free name of `stem`,
    `stem-2`, `stem-3`, ...; what is there already stays as it is. Processes that write into one
    folder at the same time take different names. A process that is killed while it replaces a
    result leaves whole files, all of them on the manifest; the next run puts it right.

    Args:
        out: the folder of all results; it is made.
        stem: the photo's name without its ending.
        origin: the photo.
        preferred: name to take if it is free and the photo has no result yet (`folder_names`).
        inputs: photos of this run, which are never touched, whatever a manifest says.
        options: what decides how the result looks, as plain values; `finished_result` compares it.

    Raises:
        OSError: a file cannot be written; the error names the place where it would have lain.
    """
    stem = _plain(stem)
    out.mkdir(parents=True, exist_ok=True)
    result = Result(unfinished_path(out / stem), out / (preferred or stem))
    try:
        with errors_naming(result.folder, result.staging):
            result.staging.mkdir()
            yield result
            manifest = Manifest.of_folder(result.staging, origin, options)
            manifest.write(result.staging / MANIFEST)
            _publish(result, out, stem, manifest, preferred or stem, _identities(inputs))
    finally:
        rmtree(result.staging, ignore_errors=True)


def finished_result(
    out: Path, stem: str, photo: Path | Origin, options: dict[str, Any]
) -> Path | None:
    """The folder of a photo's result that the same version of mlanet would write again.

    Its manifest tells of the same content of the photo and the same options, and all files are
    as they were written. None if there is no such folder. The photo is read only if its path has
    a result of the same options.

    Args:
        out: the folder of all results.
        stem: the photo's name without its ending.
        photo: its file, or what tells it from others where that is known.
        options: see `result_folder`.

    Raises:
        OSError: the photo or `out` cannot be read.
    """
    if not out.is_dir():
        return None
    known = photo if isinstance(photo, Origin) else Origin(absolute(photo), "")
    for place in _own_places(out, _plain(stem), known):
        manifest = read_manifest(place)
        if manifest is None or (manifest.mlanet, manifest.options) != (__version__, options):
            continue
        if isinstance(photo, Path) and not known.sha256:
            known = Origin(known.path, sha256_of(photo))
        if manifest.origin == known and manifest.is_whole(place):
            return place
    return None


def without_results(paths: Iterable[Path]) -> list[Path]:
    """The paths that are no files of mlanet's results, by the manifests in their folders."""
    written: dict[Path, frozenset[str]] = {}
    kept: list[Path] = []
    for path in paths:
        folder = path.parent
        if folder not in written:
            manifest = read_manifest(folder)
            names = () if manifest is None else (file.name for file in manifest.files)
            written[folder] = frozenset(names)
        if path.name not in written[folder]:
            kept.append(path)
    return kept


def _publish(
    result: Result,
    out: Path,
    stem: str,
    manifest: Manifest,
    preferred: str,
    inputs: frozenset[tuple[int, int]],
) -> None:
    """Give the staged folder its place."""
    for place in _own_places(out, stem, manifest.origin):
        if _replace(result.staging, place, manifest, inputs):
            _placed(result, place, out, stem, manifest.origin)
            return
    for name in _candidates(preferred, stem):
        place = _lying(out, name)
        if not os.path.lexists(place) or _is_empty_folder(place):
            if _rename(result.staging, place):
                _placed(result, place, out, stem, manifest.origin)
                return
            place = _lying(out, name)  # another process was faster
        if _is_own(place, manifest.origin) and _replace(result.staging, place, manifest, inputs):
            _placed(result, place, out, stem, manifest.origin)
            return


def _replace(
    staging: Path, place: Path, manifest: Manifest, inputs: frozenset[tuple[int, int]]
) -> bool:
    """Put the staged files in the place of an own result, unless they would hit foreign ones.

    At each moment every file of mlanet's in the folder is whole and on the manifest there.
    """
    with _locked(place):
        old = read_manifest(place)
        if old is None or not old.origin.same_photo(manifest.origin):
            return False
        ours = {
            name for name in old.names if old.owns(place / name) and not _is(place / name, inputs)
        }
        if any(name not in ours and os.path.lexists(place / name) for name in manifest.names):
            return False
        remove_leftovers(place)
        old.joined(manifest).write(place / MANIFEST)
        for name in sorted(manifest.names):
            with errors_naming(place, staging):
                (staging / name).replace(place / name)
        for name in ours - manifest.names:
            (place / name).unlink(missing_ok=True)
        manifest.write(place / MANIFEST)
    return True


def _own_places(out: Path, stem: str, origin: Origin) -> list[Path]:
    """Where the photo has results already, the lowest number first."""
    start = _key(stem)
    found: list[tuple[int, Path]] = []
    for name in os.listdir(out):  # noqa: PTH208 - names alone are needed, of many
        key = _key(name)
        rest = key[len(start) :]
        number = rest[1:] if rest else "1"
        numbered = not rest or (rest[0] == "-" and number.isascii() and number.isdigit())
        if key.startswith(start) and numbered and _is_own(out / name, origin):
            found.append((int(number), out / name))
    return [place for _, place in sorted(found)]


def _is_own(place: Path, origin: Origin) -> bool:
    if place.is_symlink():
        return False
    manifest = read_manifest(place)
    return manifest is not None and manifest.origin.same_photo(origin)


def _rename(staging: Path, place: Path) -> bool:
    """Whether the staged folder got the name; not if somebody else has it."""
    try:
        if sys.platform == "win32" and place.is_dir():
            place.rmdir()  # it is empty; elsewhere renaming replaces it
        staging.rename(place)
    except OSError:
        if os.path.lexists(place):
            return False
        raise
    return True


def _placed(result: Result, place: Path, out: Path, stem: str, origin: Origin) -> None:
    result.folder = place
    wanted = _lying(out, stem)
    if _key(place.name) == _key(stem) or not os.path.lexists(wanted):
        return
    manifest = read_manifest(wanted)
    if manifest is not None and not manifest.origin.same_photo(origin):
        result.moved_because = f"{wanted} is of {manifest.origin.path or 'standard input'}"
    elif wanted.is_symlink():
        result.moved_because = f"{wanted} is a link"
    elif wanted.is_dir():
        result.moved_because = f"{wanted} holds files that are not mlanet's"
    else:
        result.moved_because = f"{wanted} is a file"


@contextmanager
def _locked(folder: Path) -> Generator[None, None, None]:
    """One process at a time, where the system can lock folders."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _candidates(preferred: str, stem: str) -> Iterator[str]:
    yield preferred
    for name in _numbered(stem):
        if name != preferred:
            yield name


def _numbered(stem: str) -> Iterator[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _plain(stem: str) -> str:
    """The stem as a folder's name."""
    name = stem.strip(". ") or "photo"
    while len(os.fsencode(name)) > MAX_NAME_BYTES:
        name = name[:-1]
    return name


def _key(name: str) -> str:
    """Equal for names that some file system takes for one."""
    return normalize("NFC", normalize("NFC", name).casefold())


def _lying(out: Path, name: str) -> Path:
    """What lies in `out` under a name that some file system takes for this one, or the name."""
    if os.path.lexists(out / name):
        return out / name
    key = _key(name)
    return out / next((entry for entry in os.listdir(out) if _key(entry) == key), name)  # noqa: PTH208


def _is_empty_folder(place: Path) -> bool:
    try:
        return not place.is_symlink() and place.is_dir() and next(place.iterdir(), None) is None
    except OSError:  # not ours to look into
        return False


def _identities(paths: Iterable[Path]) -> frozenset[tuple[int, int]]:
    """Device and number of the files, which tell them through links and other spellings."""
    found: set[tuple[int, int]] = set()
    for path in paths:
        try:
            status = path.stat()
        except (OSError, ValueError):
            continue
        found.add((status.st_dev, status.st_ino))
    return frozenset(found)


def _is(path: Path, identities: frozenset[tuple[int, int]]) -> bool:
    try:
        status = path.lstat()
    except OSError:
        return False
    return (status.st_dev, status.st_ino) in identities
