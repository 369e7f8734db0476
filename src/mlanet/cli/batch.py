"""`mlanet batch`: many photos in, tables of their faces out."""

import json
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_OK,
    Flag,
    check_folder,
    complain,
    counted,
    require_extra,
    say,
)
from mlanet.cli.faces import Faces, FacesOptions, Networks, NetworksOptions
from mlanet.cli.photos import STANDARD_INPUT, photos_of
from mlanet.errors import DataError, MlanetError, UsageError
from mlanet.files import PHOTO_SUFFIXES, read_text
from mlanet.files.addresses import addresses_of, is_address
from mlanet.files.manifest import absolute
from mlanet.sessions import chosen_device

if TYPE_CHECKING:
    from mlanet.bulk import Progress, Tally

LIST_SUFFIX, MAX_LIST_BYTES = ".txt", 1024**3

SAID_EVERY_S = 60.0
"""How often a line tells how far it is, where there is no terminal for a bar."""


@dataclass(frozen=True, slots=True)
class Workers:
    """What does the work."""

    engine: Literal["local", "ray"] = "local"
    """This machine, or Ray's cluster: the one that RAY_ADDRESS names, or that runs here."""

    processes: int = 0
    """How many work at once; 0 is one for each CPU."""

    def check(self) -> None:
        """See that they can work.

        Raises:
            UsageError: a negative number, or the extra is missing.
        """
        if self.processes < 0:
            raise UsageError(f"--processes must not be negative, got {self.processes}")
        if self.engine == "ray":
            require_extra("--engine ray", "ray", extra="bulk")


@dataclass(frozen=True, slots=True)
class Written:
    """What is written beside the tables."""

    formats: Annotated[str, tyro.conf.arg(metavar="NAMES", help_behavior_hint="")] = ""
    """Files of each face, separated by commas: glb, obj, ply, usdz, json, pts, blender."""

    draw: Annotated[str, tyro.conf.arg(metavar="NAMES", help_behavior_hint="")] = ""
    """Pictures of each photo, separated by commas: overlay, shape, depth, normal, uv, pncc, parts,
    parts-whole, pose, landmarks."""

    @property
    def format_names(self) -> tuple[str, ...]:
        """The formats, each once."""
        return _names(self.formats)

    @property
    def pictures(self) -> tuple[str, ...]:
        """The kinds of pictures, each once."""
        return _names(self.draw)

    def check(self) -> None:
        """See that there are such formats and pictures.

        Raises:
            UsageError: there is none of a name (the message lists them), or its extra is missing.
        """
        from mlanet.export import FORMATS, check_formats
        from mlanet.render import PICTURES

        for option, names, known in (
            ("--formats", self.format_names, FORMATS),
            ("--draw", self.pictures, PICTURES),
        ):
            for name in names:
                if name not in known:
                    raise UsageError(f"{option} knows no {name!r}: {', '.join(known)}")
        check_formats(self.format_names)


@dataclass(frozen=True, slots=True)
class Telling:
    """What is said."""

    json: Flag = False
    """Print one JSON object at the end."""

    quiet: Flag = False
    """Say nothing but what fails."""


def batch(
    sources: Annotated[
        tuple[str, ...],
        tyro.conf.Positional,
        tyro.conf.arg(metavar="SOURCE", help_behavior_hint=""),
    ],
    /,
    *,
    out: Annotated[str, tyro.conf.arg(aliases=["-o"], metavar="FOLDER")],
    recursive: Flag = False,
    workers: Annotated[Workers, tyro.conf.OmitArgPrefixes] = Workers(),
    faces: FacesOptions = Faces(),
    networks: NetworksOptions = Networks(),
    written: Annotated[Written, tyro.conf.OmitArgPrefixes] = Written(),
    telling: Annotated[Telling, tyro.conf.OmitArgPrefixes] = Telling(),
) -> int:
    """Write the faces of very many photos as Parquet tables.

    OUT/faces has a row for each face, OUT/pictures one for each photo, OUT/failures.jsonl what
    could not be read and why. The same command goes on where it was stopped, however it was. Both
    ends may lie on other storage, such as 's3://bucket/*.tar', with fsspec's package for it.

    Args:
        sources: Files, folders, patterns such as '*.jpg', lists of files (.txt), tar files such as
            WebDataset shards (.tar), Parquet files with a column of pictures' bytes (.parquet).
        out: Folder for the tables: a new one, or that of the same batch.
        recursive: Look into the folders of given folders, too.
        workers: What does the work.
        faces: Which faces of a photo.
        networks: Networks and face models of yours.
        written: What is written beside the tables.
        telling: What is said.

    Returns:
        Exit status: 0 all done, 1 some photos failed (OUT/failures.jsonl), 2 wrong usage.
    """
    require_extra("mlanet batch", "pyarrow", extra="bulk")
    for options in (workers, faces, written):
        options.check()
    place = out if is_address(out) else Path(out)
    if isinstance(place, Path):
        check_folder("--out", place)
    if workers.engine == "local":
        chosen_device(networks.device)
    from mlanet.bulk import ENGINES, Batch, Settings, run
    from mlanet.bulk.sources import open_sources

    paths, problems = named_files(sources, out, recursive=recursive)
    opened, unusable = open_sources(paths)
    for problem in [*problems, *unusable]:
        complain(problem)
    if not opened:
        return EXIT_FAILED
    settings = Settings(
        max_faces=faces.max_faces,
        min_score=faces.min_score,
        weights=networks.weights,
        model=networks.model,
        device=networks.device,
        formats=written.format_names,
        pictures=written.pictures,
    )
    work = Batch(place, opened, settings)
    with _progress(len(work), quiet=telling.quiet or telling.json) as progress:
        tally, failures = run(work, workers.processes, progress, ENGINES[workers.engine])
    _tell(tally, failures, out, telling)
    return EXIT_FAILED if failures or problems or unusable else EXIT_OK


def named_files(words: Iterable[str], out: str, *, recursive: bool) -> tuple[list[str], list[str]]:
    """Absolute paths, or addresses, of what words name, each once, but none below `out`.

    Args:
        words: of the command line; a list's lines are paths, from the list's folder.
        out: folder of the results.
        recursive: whether folders below given folders are looked into, too.

    Returns:
        The paths, and one line for each word that names none.

    Raises:
        UsageError: standard input is named.
    """
    from mlanet.bulk import SHARD_SUFFIXES

    found: dict[str, None] = {}
    problems: list[str] = []
    for word in words:
        if word == STANDARD_INPUT:
            raise UsageError("batch reads no photo from standard input")
        try:
            if word.lower().endswith(LIST_SUFFIX) and Path(word).is_file():
                found.update(dict.fromkeys(_listed(Path(word))))
                continue
            if is_address(word):
                listed = addresses_of(word, PHOTO_SUFFIXES | SHARD_SUFFIXES, recursive=recursive)
                found.update(dict.fromkeys(listed))
                if not listed:
                    problems.append(f"{word}: there is no photo in it")
                continue
        except MlanetError as error:
            problems.append(str(error))
            continue
        photos, lines = photos_of([word], recursive=recursive, also=SHARD_SUFFIXES)
        found.update((absolute(photo.path), None) for photo in photos if photo.path is not None)
        problems += lines
    below = (out if is_address(out) else Path(absolute(Path(out))).as_posix()).rstrip("/") + "/"
    return [path for path in found if not _posix(path).startswith(below)], problems


def _posix(path: str) -> str:
    return path if is_address(path) else Path(path).as_posix()


def _listed(file: Path) -> list[str]:
    """The files that the lines of a list name; addresses are as they stand."""
    folder = file.parent.resolve()
    lines = [line.strip() for line in read_text(file, DataError, MAX_LIST_BYTES).splitlines()]
    paths = [line if is_address(line) else str(folder / line) for line in lines if line]
    if not paths:
        raise DataError(f"{file}: names no photo")
    return paths


def _names(words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in words.split(","))) if words else ()


@contextmanager
def _progress(total: int, *, quiet: bool) -> "Generator[Progress, None, None]":
    """What shows how far it is: a bar on a terminal, else a line from time to time."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        BarColumn(),
        TextColumn("{task.completed:,}/{task.total:,} photos, {task.fields[rate]:.1f} faces/s"),
        TimeRemainingColumn(),
    )
    hidden = quiet or not console.is_terminal
    said_s = time.monotonic()
    with Progress(*columns, console=console, transient=True, disable=hidden) as bar:
        task = bar.add_task("", total=total, rate=0.0)

        def progress(tally: "Tally") -> None:
            nonlocal said_s
            done = tally.before + tally.pictures
            bar.update(task, completed=done, rate=tally.faces_per_s)
            if hidden and not quiet and time.monotonic() - said_s > SAID_EVERY_S:
                said_s = time.monotonic()
                left = _duration(tally.remaining_s or 0.0)
                rate = f"{tally.faces_per_s:.1f} faces/s"
                complain(f"{done:,} of {total:,} photos, {rate}, {left} to go")

        yield progress


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def _tell(tally: "Tally", failures: int, out: str, telling: Telling) -> None:
    if telling.json:
        say(
            json.dumps(
                {
                    "folder": out,
                    "photos": tally.total,
                    "done_before": tally.before,
                    "failed": failures,
                    "faces": tally.faces,
                    "without_face": tally.without_face,
                    "seconds": round(tally.seconds, 3),
                }
            )
        )
    if failures:
        complain(f"{counted(failures, 'photo')} failed: {out}/failures.jsonl says why")
    if telling.json or telling.quiet:
        return
    before = f" ({tally.before:,} done before)" if tally.before else ""
    rate = f", {tally.faces_per_s:.1f} faces/s" if tally.pictures else ""
    say(
        f"{counted(tally.total, 'photo')}{before}: {counted(tally.faces, 'face')},"
        f" {counted(tally.without_face, 'photo')} without a face, {failures:,} failed{rate}"
        f" -> {out}"
    )
