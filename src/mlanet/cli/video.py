"""`mlanet video`: a film in, everybody's face over time out."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    check_folder,
    complain,
    described,
    require_extra,
    say,
)
from mlanet.cli.stopping import Wishes, heeded_wishes
from mlanet.errors import NoFaceError, UsageError
from mlanet.files import Origin, remove_leftovers, result_folder
from mlanet.files.manifest import absolute

if TYPE_CHECKING:
    from mlanet.reconstructor import Reconstructor
    from mlanet.video.people import FilmedPerson
    from mlanet.video.reading import Film
    from mlanet.video.recording import Recording

RESERVE, RESERVED_BYTES = "reserve", 256 * 1024
"""A file that holds a place on the disk for what closes a result, should the disk become full."""

SAVED = ".mlanet-film-"
"""Beginning of the name of a hidden folder in which an unfinished run is kept."""


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How a film is looked at."""

    weights: Path | None = None
    """A network of your own, written by mlanet export."""

    min_score: float | None = None
    """What a face's score must exceed, between 0 and 1. Without it, the detector's own limit."""

    focal_length_px: float | None = None
    """Focal length of the film's camera in pixels, if you know it; else 1.2 times the longer side
    of the picture."""

    def check(self) -> None:
        """Refuse numbers that make no sense."""
        if self.min_score is not None and not 0.0 < self.min_score < 1.0:
            raise UsageError(f"--min-score must lie between 0 and 1, got {self.min_score:g}")
        if self.focal_length_px is not None and not 1.0 <= self.focal_length_px <= 1e6:
            raise UsageError(f"--focal-length-px must be positive, got {self.focal_length_px:g}")


def video(
    film: tyro.conf.Positional[Path],
    *,
    out: Path,
    smooth: float = 0.5,
    no_overlay: bool = False,
    looking: Annotated[FilmOptions, tyro.conf.OmitArgPrefixes] = FilmOptions(),
    threads: int = 0,
) -> int:
    """Follow every face through a film: ARKit weights, head and eyes over time.

    For film.mp4 the folder OUT/film/ receives overlay.mp4 and, for each person, face_NN.csv (the
    layout of Live Link Face), face_NN.parquet (everything) and face_NN.glb (an animated avatar).
    Ctrl-C ends the run with the files of what was tracked so far; the same command then goes on.

    Args:
        film: A video file, of any kind that FFmpeg reads.
        out: Folder for the results.
        smooth: Between 0 (as the network saw each frame) and 1 (calmest). Blinks stay.
        no_overlay: Do not write overlay.mp4, which takes most of the time.
        looking: How the film is looked at.
        threads: CPU threads; 0 is all there are, at most 4.

    Returns:
        Exit status: 0 done, 1 something failed (named on stderr), 2 wrong usage, 130 interrupted.
    """
    looking.check()
    if not 0.0 <= smooth <= 1.0:
        raise UsageError(f"--smooth must lie between 0 and 1, got {smooth:g}")
    if threads < 0:
        raise UsageError(f"--threads must not be negative, got {threads}")
    require_extra("mlanet video", "av", "pyarrow", extra="video")
    check_folder("--out", out)
    from mlanet.detection import SCORE_THRESHOLD
    from mlanet.reconstructor import Reconstructor
    from mlanet.video.reading import Film

    source = Film.open(film)
    reconstructor = Reconstructor.load(
        threads=threads or min(os.cpu_count() or 1, 4),
        weights=looking.weights,
        min_score=SCORE_THRESHOLD if looking.min_score is None else looking.min_score,
    )
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    with heeded_wishes() as wishes:
        return _Run(source, reconstructor, out, smooth, not no_overlay, looking, wishes).go()


@dataclass(slots=True)
class _Run:
    """One call of the verb."""

    film: "Film"
    reconstructor: "Reconstructor"
    out: Path
    smooth: float
    overlay: bool
    options: FilmOptions
    wishes: Wishes

    def go(self) -> int:
        """Both passes."""
        from mlanet.video.people import film_camera, filmed_people
        from mlanet.video.recording import Recording
        from mlanet.video.results import record_film

        path = absolute(self.film.path)
        saved = self.out / f"{SAVED}{sha256(os.fsencode(path)).hexdigest()[:16]}"
        layout = self.reconstructor.regressor.config.layout
        recording = Recording(saved, layout, self._depends_on(path))
        if not recording.finished:
            with self._progress("Tracking", self.film.num_frames) as progress:
                record_film(self.film, self.reconstructor, recording, progress)
        if not recording.finished:
            complain(
                f"interrupted at frame {recording.num_frames}: writing what was tracked so far"
                " (Ctrl-C again leaves out the rest of the film)"
            )
            self.wishes.stop = False
        camera = film_camera(self.film, self.options.focal_length_px)
        people = filmed_people(recording, self.reconstructor.model, camera, self.smooth)
        if not people:
            if not recording.finished:
                recording.close()
                return EXIT_INTERRUPTED
            recording.remove()
            raise NoFaceError(f"{self.film.path}: no face found")
        return self._written(recording, people)

    def _written(self, recording: "Recording", people: "list[FilmedPerson]") -> int:
        """All files, published even if the overlay broke off."""
        from mlanet.video.results import write_overlay, write_person

        film, whole, failure = self.film, recording.finished, None
        about: dict[str, Any] = {
            "film": film.path.name,
            "image_size": {"width": film.size[1], "height": film.size[0]},
            "smooth": self.smooth,
        }
        origin = Origin.of_file(film.path)
        size = self.reconstructor.regressor.config.input_size
        with result_folder(self.out, film.path.stem, origin, inputs=[film.path]) as result:
            for person in people:
                write_person(result.staging, person, film, recording, size, about)
            if self.overlay:
                reserve = result.staging / RESERVE
                reserve.write_bytes(bytes(RESERVED_BYTES))
                try:
                    with self._progress("Drawing", recording.num_frames) as progress:
                        target = result.staging / "overlay.mp4"
                        whole &= write_overlay(target, film, recording, people, progress)
                except OSError as error:  # what was written can be played, and is kept
                    failure = error
                finally:
                    reserve.unlink(missing_ok=True)
        noun = "1 person" if len(people) == 1 else f"{len(people)} people"
        say(f"{film.path}: {noun} in {recording.num_frames} frames -> {result.folder}")
        if failure is not None:
            failure.filename = str(result.folder / "overlay.mp4")
            complain(f"cannot write {described(failure)}; it ends where it broke off", failure)
        if failure is not None or not whole:
            recording.close()
            if failure is None:
                complain("interrupted; the same command goes on")
            return EXIT_INTERRUPTED if failure is None else EXIT_FAILED
        recording.remove()
        return EXIT_OK

    def _depends_on(self, path: str) -> dict[str, Any]:
        """What a saved run must agree in."""
        from mlanet import __version__
        from mlanet.assets import asset_records

        status, weights = self.film.path.stat(), self.options.weights
        return {
            "film": path,
            "bytes": status.st_size,
            "mtime_ns": status.st_mtime_ns,
            "mlanet": __version__,
            "network": asset_records()["mobile"].sha256
            if weights is None
            else sha256(weights.read_bytes()).hexdigest(),
            "min_score": self.options.min_score,
        }

    @contextmanager
    def _progress(self, what: str, total: int) -> Generator[Callable[[int], bool], None, None]:
        """A bar with rate and remaining time; what moves it says whether to go on."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} frames, {task.fields[rate]:.0f} a second"),
            TimeRemainingColumn(),
        )
        console = Console(stderr=True)
        with Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            task = bar.add_task(what, total=total or None, rate=0.0)

            def progress(done: int) -> bool:
                bar.update(task, completed=done, rate=bar.tasks[0].speed or 0.0)
                return not self.wishes.stop

            yield progress
