"""What the verbs for films share: looking at one, Ctrl-C, a bar."""

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlanet.cli.common import SomeFloat, SomePath, check_min_score, complain
from mlanet.cli.stopping import Wishes
from mlanet.errors import NoFaceError, UsageError
from mlanet.files.manifest import absolute
from mlanet.sessions import DeviceName

if TYPE_CHECKING:
    from mlanet.reconstructor import Reconstructor
    from mlanet.video.people import FilmedPerson
    from mlanet.video.reading import Film
    from mlanet.video.recording import Recording

RESERVE, RESERVED_BYTES = "reserve", 256 * 1024
"""A file that holds a place on the disk for what closes a result, should the disk become full."""

SAVED = ".mlanet-film-"
"""Beginning of the name of a hidden folder in which an unfinished run is kept."""

MOST_THREADS = 4
"""Unless more are asked for."""


@dataclass(frozen=True, slots=True)
class FilmOptions:
    """How a film is looked at."""

    weights: SomePath = None
    """A network of your own, written by mlanet export."""

    min_score: SomeFloat = None
    """What a face's score must exceed, between 0 and 1. Without it, the detector's own limit."""

    focal_length_px: SomeFloat = None
    """Focal length of the film's camera in pixels, if you know it; else 1.2 times the longer side
    of the picture."""

    device: DeviceName = "auto"
    """What runs the network: auto is a GPU of NVIDIA's where onnxruntime has it, else the CPU
    (docs/how-to/devices.md)."""

    def check(self) -> None:
        """Refuse numbers that make no sense."""
        check_min_score(self.min_score)
        if self.focal_length_px is not None and not 1.0 <= self.focal_length_px <= 1e6:
            raise UsageError(f"--focal-length-px must be positive, got {self.focal_length_px:g}")


def check_looking(options: FilmOptions, smooth: float | None, threads: int) -> None:
    """Refuse numbers that make no sense.

    Raises:
        UsageError: the message names the option.
    """
    options.check()
    if smooth is not None and not 0.0 <= smooth <= 1.0:
        raise UsageError(f"--smooth must lie between 0 and 1, got {smooth:g}")
    if threads < 0:
        raise UsageError(f"--threads must not be negative, got {threads}")


def load_reconstructor(options: FilmOptions, threads: int) -> "Reconstructor":
    """The network that looks at a film."""
    from mlanet.detection import SCORE_THRESHOLD
    from mlanet.reconstructor import Reconstructor

    return Reconstructor.load(
        threads=threads or min(os.cpu_count() or 1, MOST_THREADS),
        weights=options.weights,
        min_score=SCORE_THRESHOLD if options.min_score is None else options.min_score,
        device=options.device,
    )


@dataclass(frozen=True, slots=True)
class Tracking:
    """One film that is looked at."""

    film: "Film"
    reconstructor: "Reconstructor"
    out: Path
    smooth: float
    options: FilmOptions
    wishes: Wishes

    def recording(self) -> "Recording":
        """The first pass; what an earlier run saw is not looked at again."""
        from mlanet.video.recording import Recording
        from mlanet.video.results import record_film

        path = absolute(self.film.path)
        saved = self.out / f"{SAVED}{sha256(os.fsencode(path)).hexdigest()[:16]}"
        layout = self.reconstructor.regressor.config.layout
        recording = Recording(saved, layout, self._depends_on(path))
        if not recording.finished:
            with frames_bar("Tracking", self.film.num_frames, self.wishes) as progress:
                record_film(self.film, self.reconstructor, recording, progress)
        if not recording.finished:
            complain(
                f"interrupted at frame {recording.num_frames}: writing what was tracked so far"
                " (Ctrl-C again leaves out the rest of the film)"
            )
            self.wishes.stop = False
        return recording

    def people(self, recording: "Recording") -> "list[FilmedPerson]":
        """The second pass; nobody only of a film that was not seen to its end.

        Raises:
            NoFaceError: nobody is in the film.
        """
        from mlanet.video.people import film_camera, filmed_people

        camera = film_camera(self.film, self.options.focal_length_px)
        model = self.reconstructor.model
        with waiting("Looking closely at the people"):
            people = filmed_people(recording, model, camera, self.smooth, self.film)
        if not people and recording.finished:
            recording.remove()
            raise NoFaceError(f"{self.film.path}: no face found")
        return people

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
def reserved(folder: Path) -> Generator[None, None, None]:
    """A place on the disk is held while a film is written, and free to close the result."""
    reserve = folder / RESERVE
    reserve.write_bytes(bytes(RESERVED_BYTES))
    try:
        yield
    finally:
        reserve.unlink(missing_ok=True)


@contextmanager
def waiting(what: str) -> Generator[None, None, None]:
    """A word on a terminal for work whose length is not known."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(what) if console.is_terminal else nullcontext():
        yield


@contextmanager
def frames_bar(
    what: str, total: int, wishes: Wishes
) -> Generator[Callable[[int], bool], None, None]:
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
            return not wishes.stop

        yield progress
