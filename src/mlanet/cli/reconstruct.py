"""`mlanet reconstruct`: photos in, textured 3D faces out."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_OK,
    check_folder,
    complain,
    described,
    positive,
    require_torch,
    say,
)
from mlanet.cli.photos import Photo, PhotoFolders, PhotoOptions, PhotoWords, done_line, write_faces
from mlanet.errors import NoFaceError, UsageError
from mlanet.files import printable

if TYPE_CHECKING:
    from rich.progress import Progress

    from mlanet.morphable import Transfer
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor


@dataclass(frozen=True, slots=True)
class Faces:
    """Which faces of a photo."""

    max_faces: int | None = None
    """Keep only the largest faces of a photo."""

    min_score: float | None = None
    """What a face's score must exceed, between 0 and 1; the scores are printed. Without it, the
    detector's own limit (docs/explanation/detection.md)."""

    def check(self) -> None:
        """Refuse numbers that leave no face."""
        if self.max_faces is not None:
            positive(max_faces=self.max_faces)
        if self.min_score is not None and not 0.0 < self.min_score < 1.0:
            raise UsageError(f"--min-score must lie between 0 and 1, got {self.min_score:g}")


@dataclass(frozen=True, slots=True)
class Models:
    """Networks and face models of the user's."""

    weights: Path | None = None
    """A network of your own, written by mlanet export."""

    model: Path | None = None
    """The face model whose coefficients it regresses, if it is not the embedded one."""

    topology: Path | None = None
    """A face model of your own, written by mlanet models convert."""

    def check(self) -> None:
        """Refuse a topology that belongs to another face model."""
        if self.model is not None and self.topology is not None:
            raise UsageError("--topology carries faces of the embedded model: not with --model")


def reconstruct(
    photos: PhotoOptions = PhotoWords(),
    *,
    out: Path,
    faces: Annotated[Faces, tyro.conf.OmitArgPrefixes] = Faces(),
    models: Annotated[Models, tyro.conf.OmitArgPrefixes] = Models(),
    threads: int = 0,
    draw: str = "",
    refine: bool = False,
) -> int:
    """Turn every face of every photo into a textured mesh.

    For photo.jpg the folder OUT/photo/ receives overlay.png, the other pictures asked for and, for
    each face, face_NN.glb, face_NN.obj (with .mtl and .png) and face_NN.json;
    with --topology the same five files again, named face_NN.topology, in the vertices and triangles
    of another face model. The result of an earlier run on the same photo is replaced; whatever else
    is there stays, and the result then goes to OUT/photo-2/.

    Args:
        photos: Which photos.
        out: Folder for the results.
        faces: Which faces of a photo.
        models: Networks and face models of yours.
        threads: CPU threads for one photo; 0 is all there are, at most 4.
        draw: More pictures, separated by commas: shape, depth, normal, uv, pncc, parts,
            parts-whole, pose, landmarks.
        refine: Fit each face to the photo's pixels, too (1 to 3 s a face; needs the train extra).

    Returns:
        Exit status: 0 all done, 1 some photos failed (each named on stderr), 2 wrong usage.
    """
    photos.check()
    faces.check()
    models.check()
    if threads < 0:
        raise UsageError(f"--threads must not be negative, got {threads}")
    check_folder("--out", out)
    kinds = kinds_of(draw)
    if refine:
        require_torch()
    given, problems = photos.found()
    for problem in problems:
        complain(problem)
    if not given:
        return EXIT_FAILED
    from mlanet.detection import SCORE_THRESHOLD
    from mlanet.reconstructor import Reconstructor

    threads = threads or min(os.cpu_count() or 1, 4)
    reconstructor = Reconstructor.load(
        threads=threads,
        weights=models.weights,
        model=models.model,
        min_score=SCORE_THRESHOLD if faces.min_score is None else faces.min_score,
    )
    transfer = None
    if models.topology is not None:
        transfer = load_transfer(reconstructor, models.topology)
    failed = len(problems)
    unsaid: OSError | None = None
    folders = PhotoFolders(given, out)
    with _progress(len(given)) as progress:
        for number, photo in enumerate(given):
            try:
                image, origin = photo.read()
                found = reconstructor(image, max_faces=faces.max_faces)
                if not found:
                    raise NoFaceError(f"{photo.name}: no face found")
                if refine:
                    found = _refined(found)
                with folders.result(number, origin) as result:
                    write_faces(found, result.staging, kinds, transfer, title=photo.stem)
            except Exception as error:  # whatever one photo does, the others are still done
                failed += 1
                complain(_about(photo, error), error)
            else:
                try:
                    _say(done_line(photo, number_and_scores(found), result), progress)
                except BrokenPipeError:
                    raise
                except OSError as error:  # the photo is done all the same, and so are the others
                    unsaid = error
            progress.advance(progress.task_ids[0])
    if unsaid is not None:
        raise unsaid
    return EXIT_FAILED if failed else EXIT_OK


def kinds_of(draw: str) -> tuple[str, ...]:
    """The kinds of pictures that `--draw` names, each once, `overlay` first.

    Raises:
        UsageError: there is no such kind; the message lists them.
    """
    if not draw:
        return ("overlay",)
    from mlanet.render import PICTURES

    kinds = [kind.strip() for kind in draw.split(",")]
    for kind in kinds:
        if kind not in PICTURES:
            what = f"knows no {kind!r}" if kind else "has a comma without a name"
            raise UsageError(f"--draw {what}: {', '.join(PICTURES)}")
    return tuple(dict.fromkeys(["overlay", *kinds]))


def number_and_scores(faces: "Sequence[Reconstruction]") -> str:
    """How many faces there are and how sure the detector is of each, in their order."""
    scores = [f"{face.detection.score:.2f}" for face in faces if face.detection is not None]
    if len(faces) == 1:
        return f"1 face (score {scores[0]})" if scores else "1 face"
    return f"{len(faces)} faces" + (f" (scores {', '.join(scores)})" if scores else "")


def load_transfer(reconstructor: "Reconstructor", path: Path) -> "Transfer":
    """The way from the reconstructor's face model to a converted one.

    Raises:
        AssetError: the file is no face model, or was not converted for this one.
    """
    from mlanet.morphable import Transfer, load_model

    return Transfer(reconstructor.model, load_model(path))


def _refined(faces: "Sequence[Reconstruction]") -> "list[Reconstruction]":
    from mlanet.fitting import refine

    return [refine([replace(face)])[0] for face in faces]


def _progress(count: int) -> "Progress":
    """A bar on the terminal, for more than one photo."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    quiet = count < 2 or not console.is_terminal
    progress = Progress(console=console, transient=True, disable=quiet, redirect_stdout=False)
    progress.add_task("Reconstructing", total=count)
    return progress


def _say(line: str, progress: "Progress") -> None:
    """A line on standard output; above the bar, where both are on the terminal."""
    if progress.live.is_started and sys.stdout.isatty():
        progress.console.print(printable(line), markup=False, highlight=False, soft_wrap=True)
    else:
        say(line)


def _about(photo: Photo, error: Exception) -> str:
    """An error as a line that names the photo, or the file that could not be written for it."""
    text = described(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{photo.name}: cannot write {text}"
    return text if text.startswith(photo.name) else f"{photo.name}: {text}"
