"""`mlanet video`: a film in, everybody's face over time out."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    Flag,
    OutPath,
    check_folder,
    complain,
    described,
    require_extra,
    say,
)
from mlanet.cli.films import (
    FilmOptions,
    Tracking,
    check_looking,
    frames_bar,
    load_reconstructor,
    reserved,
)
from mlanet.cli.stopping import heeded_wishes
from mlanet.files import Origin, remove_leftovers, result_folder

if TYPE_CHECKING:
    from mlanet.video.people import FilmedPerson
    from mlanet.video.recording import Recording


def video(
    film: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILM")],
    *,
    out: OutPath = Path("out"),
    smooth: float = 0.5,
    no_overlay: Flag = False,
    looking: Annotated[FilmOptions, tyro.conf.OmitArgPrefixes] = FilmOptions(),
    threads: int = 0,
) -> int:
    """Follow every face through a film: ARKit weights, head and eyes over time.

    For film.mp4 the folder OUT/film/ receives overlay.mp4 and, for each person, face_NN.csv (the
    layout of Live Link Face), face_NN.parquet (everything) and face_NN.glb (an animated avatar);
    and view.html, which plays them beside the film. Ctrl-C ends the run with the files of what was
    tracked so far; the same command then goes on.

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
    check_looking(looking, smooth, threads)
    require_extra("mlanet video", "av", "pyarrow", extra="video")
    check_folder("--out", out)
    from mlanet.video.reading import Film

    source = Film.open(film)
    reconstructor = load_reconstructor(looking, threads)
    out.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    with heeded_wishes() as wishes:
        tracking = Tracking(source, reconstructor, out, smooth, looking, wishes)
        return _Run(tracking, not no_overlay).go()


@dataclass(frozen=True, slots=True)
class _Run:
    """One call of the verb."""

    tracking: Tracking
    overlay: bool

    def go(self) -> int:
        """Both passes."""
        recording = self.tracking.recording()
        people = self.tracking.people(recording)
        if not people:
            recording.close()
            return EXIT_INTERRUPTED
        return self._written(recording, people)

    def _written(self, recording: "Recording", people: "list[FilmedPerson]") -> int:
        """All files, published even if the overlay broke off."""
        from mlanet.video.results import write_film_page, write_person

        film, whole, failure = self.tracking.film, recording.finished, None
        about: dict[str, Any] = {
            "film": film.path.name,
            "image_size": {"width": film.size[1], "height": film.size[0]},
            "smooth": self.tracking.smooth,
        }
        origin = Origin.of_file(film.path)
        with result_folder(self.tracking.out, film.path.stem, origin, inputs=[film.path]) as result:
            for person in people:
                write_person(result.staging, person, recording, about)
            write_film_page(result.staging, people, film, overlay=self.overlay)
            if self.overlay:
                with reserved(result.staging):
                    try:
                        whole &= self._draw(result.staging / "overlay.mp4", recording, people)
                    except OSError as error:  # what was written can be played, and is kept
                        failure = error
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

    def _draw(self, target: Path, recording: "Recording", people: "list[FilmedPerson]") -> bool:
        from mlanet.video.results import write_overlay

        with frames_bar("Drawing", recording.num_frames, self.tracking.wishes) as progress:
            return write_overlay(target, self.tracking.film, recording, people, progress)
