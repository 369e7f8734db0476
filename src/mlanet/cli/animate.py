"""`mlanet animate`: one person's expressions on another's avatar."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    Flag,
    OutPath,
    SomeFloat,
    SomeInt,
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
    waiting,
)
from mlanet.cli.stopping import Wishes, heeded_wishes
from mlanet.errors import UsageError
from mlanet.files import Origin, read_manifest, remove_leftovers, result_folder

if TYPE_CHECKING:
    from mlanet.export import Animation, AvatarFile
    from mlanet.video.avatar_films import AvatarFilm
    from mlanet.video.people import FilmedPerson
    from mlanet.video.stage import Stage

LEAST_PX, MOST_PX = 128, 2160


@dataclass(frozen=True, slots=True)
class DriverOptions:
    """How the driver is understood."""

    person: SomeInt = None
    """Which of a film's people, by the number in the pictures of mlanet video. Without it, whoever
    is seen longest."""

    neutral: float | Literal["auto", "off"] = "auto"
    """When the driver's face is at rest, in seconds of the film. Without it, what the face does
    least; off takes the weights as they are."""

    flip: tuple[Literal["yaw", "pitch", "roll"], ...] = ()
    """Angles of a CSV file's head that its program counts the other way than mlanet."""

    smooth: SomeFloat = None
    """Between 0 (as it is) and 1 (calmest). Blinks stay. Without it 0.5 of films, and 0 of
    tables."""


def animate(
    face: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="AVATAR")],
    /,
    *,
    driver: Path,
    out: OutPath = Path("out"),
    driving: Annotated[DriverOptions, tyro.conf.OmitArgPrefixes] = DriverOptions(),
    size: int = 720,
    no_films: Flag = False,
    looking: Annotated[FilmOptions, tyro.conf.OmitArgPrefixes] = FilmOptions(),
    threads: int = 0,
) -> int:
    """Put one person's expressions on another's avatar; needs the extra `video`.

    For photo/face_00.glb and film.mp4 the folder OUT/photo-film/ receives avatar.glb (animated),
    front.mp4 and turntable.mp4 (films of it), beside.mp4 (the driver and it) and view.html.

    Args:
        face: The avatar: face_NN.glb of mlanet reconstruct, fit or video.
        driver: Whose movements: a film, a CSV file in the layout of Live Link Face (of the app or
            of mlanet), or a Parquet file of mlanet video.
        out: Folder for the results.
        driving: How the driver is understood.
        size: Side of the films in pixels.
        no_films: Write avatar.glb and view.html alone.
        looking: How the driver's film is looked at.
        threads: CPU threads; 0 is all there are, at most 4.

    Returns:
        Exit status: 0 done, 1 something failed (named on stderr), 2 wrong usage, 130 interrupted.
    """
    check_looking(looking, driving.smooth, threads)
    if not LEAST_PX <= size <= MOST_PX or size % 2:
        raise UsageError(f"--size must be even, {LEAST_PX} to {MOST_PX}, got {size}")
    require_extra("mlanet animate", "av", "pyarrow", extra="video")
    check_folder("--out", out)
    from mlanet.export import read_avatar
    from mlanet.morphable import load_model

    with waiting(f"Reading {face.name}"):
        avatar = read_avatar(face, load_model())
    with heeded_wishes() as wishes:
        run = _Run(face, driver, out, driving, size, not no_films, looking, threads, wishes)
        return run.go(avatar)


def called_after(file: Path) -> str:
    """What a result is called after: a file's name, or of a result's file that of its folder.

    In all folders of results the files have the same names. A further face keeps its number.
    """
    manifest = read_manifest(file.parent)
    if manifest is None or not manifest.owns(file):
        return file.stem
    folder = file.resolve().parent.name
    return f"{folder}-{file.stem}" if re.fullmatch(r"face_0*[1-9]\d*", file.stem) else folder


@dataclass(slots=True)
class _Run:
    """One call of the verb."""

    face: Path
    driver: Path
    out: Path
    driving: DriverOptions
    size: int
    films: bool
    looking: FilmOptions
    threads: int
    wishes: Wishes

    def go(self, avatar: "AvatarFile") -> int:
        """Read or track the driver, then write."""
        from mlanet.video.avatar_films import AvatarFilm
        from mlanet.video.performances import TABLES, calmed, read_performance
        from mlanet.video.stage import Stage

        stage = Stage(avatar, (self.size, self.size))
        if self.driver.suffix.lower() in TABLES:
            if self.driving.person is not None:
                raise UsageError(f"--person: {self.driver} is of one person")
            if self.driving.flip and self.driver.suffix.lower() != ".csv":
                raise UsageError(f"--flip is for CSV files, {self.driver} is none")
            names = avatar.model.expression_names
            read = read_performance(self.driver, names, flip=self.driving.flip)
            film = AvatarFilm(
                stage, self._neutral(calmed(read, self.driving.smooth or 0.0), avatar)
            )
            self.out.mkdir(parents=True, exist_ok=True)
            remove_leftovers(self.out)
            return self._written(film, whole=True)
        return self._tracked(stage)

    def _tracked(self, stage: "Stage") -> int:
        """The driver is somebody in a film."""
        from mlanet.video.avatar_films import AvatarFilm
        from mlanet.video.people import usual_square
        from mlanet.video.reading import Film
        from mlanet.video.results import animation_of

        if self.driving.flip:
            raise UsageError(f"--flip is for CSV files, {self.driver} is none")
        source = Film.open(self.driver)
        reconstructor = load_reconstructor(self.looking, self.threads)
        self.out.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.out)
        smooth = 0.5 if self.driving.smooth is None else self.driving.smooth
        tracking = Tracking(source, reconstructor, self.out, smooth, self.looking, self.wishes)
        recording = tracking.recording()
        people = tracking.people(recording)
        whole = recording.finished
        if not people:
            recording.close()
            return EXIT_INTERRUPTED
        person = self._chosen(people)
        animation = self._neutral(animation_of(person), stage.avatar)
        square = usual_square(person, recording)
        status = self._written(AvatarFilm(stage, animation, source, square), whole=whole)
        recording.remove() if status == EXIT_OK else recording.close()
        return status

    def _chosen(self, people: "list[FilmedPerson]") -> "FilmedPerson":
        number = self.driving.person
        if number is None:
            return max(people, key=lambda person: len(person.frames))
        if not 0 <= number < len(people):
            raise UsageError(f"--person {number}: {self.driver} has 0 to {len(people) - 1}")
        return people[number]

    def _neutral(self, performance: "Animation", avatar: "AvatarFile") -> "Animation":
        """The performance without what the driver's face shows at rest."""
        from mlanet.video.retargeting import neutral_at, retargeted, usual_neutral

        names, moment = avatar.model.expression_names, self.driving.neutral
        if moment == "off":
            return performance
        if isinstance(moment, str):
            return retargeted(performance, names, usual_neutral(performance, names))
        return retargeted(performance, names, neutral_at(performance, names, moment))

    def _written(self, film: "AvatarFilm", *, whole: bool) -> int:
        """All files, published even if a film broke off."""
        from mlanet.viewing import head_of_file, write_page

        origins = [Origin.of_file(path) for path in (self.face, self.driver)]
        both = hashlib.sha256("".join(origin.sha256 for origin in origins).encode()).hexdigest()
        origin = Origin(" + ".join(str(origin.path) for origin in origins), both)
        stem, failure = f"{called_after(self.face)}-{called_after(self.driver)}", None
        inputs = [self.face, self.driver]
        with result_folder(self.out, stem, origin, inputs=inputs) as result:
            glb = result.staging / "avatar.glb"
            with waiting("Writing avatar.glb and view.html"):
                film.stage.avatar.write_animated(glb, film.animation)
                write_page(result.staging / "view.html", [head_of_file(glb)], stem)
            with reserved(result.staging):
                try:
                    for view in film.views if self.films else ():
                        whole &= self._drawn(film, result.staging / f"{view}.mp4", view)
                except OSError as error:  # what was written can be played, and is kept
                    failure = error
        moved = f" ({result.moved_because})" if result.moved_because else ""
        say(f"{self.face}: moved by {self.driver} -> {result.folder}{moved}")
        if failure is not None:
            name = Path(failure.filename or "").name
            failure.filename = str(result.folder / name)
            complain(f"cannot write {described(failure)}; it ends where it broke off", failure)
            return EXIT_FAILED
        if not whole:
            complain("interrupted; films end where they broke off")
        return EXIT_OK if whole else EXIT_INTERRUPTED

    def _drawn(self, film: "AvatarFilm", target: Path, view: str) -> bool:
        if self.wishes.stop:
            return False
        with frames_bar(f"Drawing {target.name}", len(film.times_s), self.wishes) as progress:
            return film.write(target, view, progress)
