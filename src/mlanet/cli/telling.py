"""What a run says of its photos: lines for people or for scripts, and a bar."""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from mlanet.cli.common import complain, counted, described, say
from mlanet.cli.photos import Photo, done_line
from mlanet.files import Result, printable, read_manifest

if TYPE_CHECKING:
    from mlanet.reconstruction import Reconstruction


CROWD = 4
"""Of more faces than this a line does not list every number."""


class PhotoLines:
    """Lines on standard output, one for each photo, and on a terminal a bar.

    Of a single photo, a terminal is also told how to look at the head.

    Attributes:
        failed: how many photos failed.
    """

    def __init__(self, count: int, *, as_json: bool = False, quiet: bool = False) -> None:
        """Of `count` photos; as JSON objects; or of failures alone."""
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn

        self.failed = 0
        self._as_json, self._quiet = as_json, quiet
        self._unsaid: OSError | None = None
        console = Console(stderr=True)
        self._hint = console.is_terminal and count == 1 and not (as_json or quiet)
        hidden = quiet or not console.is_terminal
        columns = (SpinnerColumn(), TextColumn("{task.description}")) if count == 1 else ()
        self._bar = Progress(
            *columns, console=console, transient=True, disable=hidden, redirect_stdout=False
        )
        self._bar.add_task("Reconstructing", total=count)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Remove the bar.

        Raises:
            OSError: a line could not be written; all photos were done all the same.
        """
        self._bar.stop()
        if kind is None and self._unsaid is not None:
            raise self._unsaid

    def done(self, photo: Photo, faces: "Sequence[Reconstruction]", result: Result) -> None:
        """Tell of a photo's result.

        Raises:
            BrokenPipeError: nobody reads standard output any more.
        """
        manifest = read_manifest(result.folder) if self._as_json else None
        self._tell(
            done_line(photo, number_and_scores(faces), result),
            photo=photo.name,
            status="done",
            folder=str(result.folder),
            files=[] if manifest is None else sorted(manifest.names),
            faces=[numbers_of(face) for face in faces] if self._as_json else [],
        )
        if self._hint:
            self._bar.console.print(
                f"mlanet view {shlex.quote(printable(str(result.folder)))} opens it",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def skipped(self, photo: Photo, folder: Path) -> None:
        """Tell that a photo's very result is there already, and what it holds.

        Raises:
            BrokenPipeError: nobody reads standard output any more.
        """
        manifest = read_manifest(folder)
        names = sorted(manifest.names) if manifest is not None else []
        faces = sorted({name.split(".")[0] for name in names if name.startswith("face_")})
        done = f"{counted(len(faces), 'face')}, " if faces else ""
        self._tell(
            f"{photo.name}: {done}already done, skipped (--overwrite does it again) -> {folder}",
            photo=photo.name,
            status="skipped",
            folder=str(folder),
            files=names,
            faces=[saved_numbers(folder / f"{face}.json") for face in faces] * self._as_json,
        )

    def failure(self, photo: Photo, error: Exception) -> None:
        """Name a photo's failure on standard error, too.

        Raises:
            BrokenPipeError: nobody reads standard output any more.
        """
        self.failed += 1
        line = about(photo, error)
        complain(line, error)
        if self._as_json:
            self._tell(line, photo=photo.name, status="failed", error=line)
        else:
            self._advance()

    def _tell(self, line: str, **content: Any) -> None:
        try:
            if self._as_json:
                self._say(json.dumps(content))
            elif not self._quiet:
                self._say(line)
        except BrokenPipeError:
            raise
        except OSError as error:  # the photo is done all the same, and so are the others
            self._unsaid = error
        self._advance()

    def _say(self, line: str) -> None:
        """Above the bar, where both are on the terminal."""
        if self._bar.live.is_started and sys.stdout.isatty():
            self._bar.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
        else:
            say(line)

    def _advance(self) -> None:
        self._bar.advance(self._bar.task_ids[0])


def number_and_scores(faces: "Sequence[Reconstruction]") -> str:
    """How many faces there are and how sure detector and network are of each, in their order.

    Of a crowd, between what bounds.
    """
    numbers = [numbers_of(face) for face in faces]
    said = [
        f"{name if len(faces) == 1 else plural} {_listed(values)}"
        for name, plural in (("score", "scores"), ("confidence", "confidences"))
        if (values := [each[name] for each in numbers if each[name] is not None])
    ]
    return counted(len(faces), "face") + (f" ({'; '.join(said)})" if said else "")


def _listed(values: Sequence[float]) -> str:
    if len(values) > CROWD:
        return f"{min(values):.2f} to {max(values):.2f}"
    return ", ".join(f"{value:.2f}" for value in values)


def numbers_of(face: "Reconstruction") -> dict[str, Any]:
    """What scripts want to know of a face first, as plain values; None for what is not known."""
    found, (pitch, yaw, roll) = face.detection, face.euler_deg
    sure = face.confidence
    return {
        "score": None if found is None else round(float(found.score), 4),
        "confidence": None if sure is None else round(float(sure), 4),
        "box_px": None if found is None else [round(float(side), 2) for side in found.box_px],
        "yaw_deg": round(float(yaw), 2),
        "pitch_deg": round(float(pitch), 2),
        "roll_deg": round(float(roll), 2),
    }


def saved_numbers(file: Path) -> dict[str, Any]:
    """`numbers_of` a face, as an earlier run wrote it; all None where it wrote no such file."""
    try:
        content = json.loads(file.read_bytes())
    except OSError:
        content = {}
    found, pose = content.get("detection") or {}, content.get("pose", {})
    return {
        "score": found.get("score"),
        "confidence": content.get("confidence"),
        "box_px": found.get("box_px"),
        **{
            name: round(pose[name], 2) if name in pose else None
            for name in ("yaw_deg", "pitch_deg", "roll_deg")
        },
    }


def about(photo: Photo, error: Exception) -> str:
    """An error as a line that names the photo, or the file that could not be written for it."""
    text = described(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{photo.name}: cannot write {text}"
    return text if text.startswith(photo.name) else f"{photo.name}: {text}"
