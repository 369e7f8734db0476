"""`mlanet reconstruct`: photos in, textured 3D faces out."""

import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlanet.cli.extras import require_torch
from mlanet.cli.messages import complain, described, say
from mlanet.cli.outputs import check_folder
from mlanet.cli.photos import Photo, photos_of
from mlanet.cli.status import EXIT_FAILED, EXIT_OK
from mlanet.errors import NoFaceError, UsageError
from mlanet.files import Origin, Result, folder_names, printable, remove_leftovers, result_folder

if TYPE_CHECKING:
    from rich.progress import Progress

    from mlanet.morphable import Transfer
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor


def reconstruct(
    photos: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PHOTO")] = (),
    /,
    *,
    out: Path,
    recursive: bool = False,
    example: bool = False,
    max_faces: int | None = None,
    min_score: float | None = None,
    threads: int = 0,
    weights: Path | None = None,
    model: Path | None = None,
    topology: Path | None = None,
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
        photos: Files, folders, patterns such as '*.jpg', or - for standard input. JPEG, PNG, WebP,
            GIF, BMP, TIFF, AVIF; HEIC with the extra heic.
        out: Folder for the results.
        recursive: Look into the folders of given folders, too.
        example: Use the photo that ships with mlanet (Eileen Collins; NASA, public domain).
        max_faces: Keep only the largest faces of a photo.
        min_score: What a face's score must exceed, between 0 and 1; the scores are printed. Without
            it, the detector's own limit (docs/explanation/detection.md).
        threads: CPU threads for one photo; 0 is all there are, at most 4.
        weights: A network of your own, written by mlanet export.
        model: The face model whose coefficients it regresses, if it is not the embedded one.
        topology: A face model of your own, written by mlanet models convert.
        draw: More pictures, separated by commas: shape, depth, normal, uv, pncc, parts,
            parts-whole, pose, landmarks.
        refine: Fit each face to the photo's pixels, too (1 to 3 s a face; needs the train extra).

    Returns:
        Exit status: 0 all done, 1 some photos failed (each named on stderr), 2 wrong usage.
    """
    _check_usage(photos, out, example, max_faces, threads)
    if min_score is not None and not 0.0 < min_score < 1.0:
        raise UsageError(f"--min-score must lie between 0 and 1, got {min_score:g}")
    if model is not None and topology is not None:
        raise UsageError("--topology carries faces of the embedded model: not with --model")
    kinds = kinds_of(draw)
    if refine:
        require_torch()
    given, problems = photos_of([*photos, *example_words(example)], recursive=recursive)
    for problem in problems:
        complain(problem)
    if not given:
        return EXIT_FAILED
    from mlanet.detection import SCORE_THRESHOLD
    from mlanet.reconstructor import Reconstructor

    threads = threads or min(os.cpu_count() or 1, 4)
    least = SCORE_THRESHOLD if min_score is None else min_score
    reconstructor = Reconstructor.load(
        threads=threads, weights=weights, model=model, min_score=least
    )
    transfer = None if topology is None else load_transfer(reconstructor, topology)
    failed = len(problems)
    unsaid: OSError | None = None
    folders = PhotoFolders(given, out)
    with _progress(len(given)) as progress:
        for number, photo in enumerate(given):
            try:
                image, origin = photo.read()
                faces = reconstructor(image, max_faces=max_faces)
                if not faces:
                    raise NoFaceError(f"{photo.name}: no face found")
                if refine:
                    faces = _refined(faces)
                with folders.result(number, origin) as result:
                    write_faces(faces, result.staging, kinds, transfer)
            except Exception as error:  # whatever one photo does, the others are still done
                failed += 1
                complain(_about(photo, error), error)
            else:
                try:
                    _say(done_line(photo, number_and_scores(faces), result), progress)
                except BrokenPipeError:
                    raise
                except OSError as error:  # the photo is done all the same, and so are the others
                    unsaid = error
            progress.advance(progress.task_ids[0])
    if unsaid is not None:
        raise unsaid
    return EXIT_FAILED if failed else EXIT_OK


class PhotoFolders:
    """The folders below `out` into which a run's photos go (docs/reference/output.md).

    What killed runs left there is removed.
    """

    def __init__(self, photos: Sequence[Photo], out: Path) -> None:
        remove_leftovers(out)
        self._photos = photos
        self._out = out
        self._preferred = folder_names(photo.stem for photo in photos)
        self._inputs = [photo.path for photo in photos if photo.path is not None]

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
        ) as result:
            yield result


def done_line(photo: Photo, done: str, result: Result) -> str:
    """What a run says of a photo: it ends with the folder, and says if that is a further one."""
    because = f"; {result.moved_because}" if result.moved_because else ""
    return f"{photo.name}: {done}{because} -> {result.folder}"


def example_words(example: bool) -> list[Path]:
    """The photo that ships with mlanet, if it is asked for.

    Raises:
        AssetError: it is missing or altered.
    """
    from mlanet.assets import verified_path

    return [verified_path("example-image")] if example else []


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


def write_faces(
    faces: "Sequence[Reconstruction]",
    folder: Path,
    kinds: Sequence[str] = ("overlay",),
    transfer: "Transfer | None" = None,
) -> None:
    """Write a photo's faces and pictures.

    Of a crowd, each face's mesh and texture are let go when they are written.

    Raises:
        OSError: the folder cannot be written to.
        ImageError: a picture cannot be written.
    """
    from mlanet.image import write_image
    from mlanet.reconstruction import draw_faces

    for number, face in enumerate(faces):
        name = f"face_{number:02d}"
        written = face if len(faces) == 1 else replace(face)  # what it computes goes with it
        written.save(folder, name)
        if transfer is not None:
            written.save_topology(transfer, folder, name)
    for kind in kinds:
        write_image(folder / f"{kind}.png", draw_faces(faces, kind))


def load_transfer(reconstructor: "Reconstructor", path: Path) -> "Transfer":
    """The way from the reconstructor's face model to a converted one.

    Raises:
        AssetError: the file is no face model, or was not converted for this one.
    """
    from mlanet.morphable import MorphableModel, Transfer

    return Transfer(reconstructor.model, MorphableModel.load(path))


def _refined(faces: "Sequence[Reconstruction]") -> "list[Reconstruction]":
    from mlanet.fitting import refine

    return [refine([replace(face)])[0] for face in faces]


def _check_usage(
    photos: Sequence[str], out: Path, example: bool, max_faces: int | None, threads: int
) -> None:
    if not photos and not example:
        raise UsageError("give at least one photo, or --example")
    if max_faces is not None and max_faces < 1:
        raise UsageError(f"--max-faces must be positive, got {max_faces}")
    if threads < 0:
        raise UsageError(f"--threads must not be negative, got {threads}")
    check_folder("--out", out)


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
