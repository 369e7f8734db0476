"""`mlanet reconstruct`: photos in, textured 3D faces out."""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlanet.cli.extras import require_torch
from mlanet.cli.status import EXIT_FAILED, EXIT_OK
from mlanet.errors import MlanetError, UsageError

if TYPE_CHECKING:
    from mlanet.morphable import Transfer
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor

OWN_FILE = re.compile(r"face_\d{2,}(\.topology)?\.(glb|obj|mtl|png|json)")
"""What a run writes for a face; a later run on the same photo may remove it, and pictures."""


def reconstruct(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    out: Path,
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
    of another face model.

    Args:
        images: Photos: JPEG, PNG, WebP, GIF, BMP, TIFF.
        out: Folder for the results.
        example: Use the photo that ships with mlanet (Eileen Collins; NASA, public domain).
        max_faces: Keep only the largest faces of a photo.
        min_score: What a face's score must exceed, between 0 and 1; the scores are printed. Without
            it, the detector's own limit (docs/detection.md).
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
    problem = _usage_problem(images, out, example, max_faces, threads)
    if problem is not None:
        raise UsageError(problem)
    if min_score is not None and not 0.0 < min_score < 1.0:
        raise UsageError(f"--min-score must lie between 0 and 1, got {min_score:g}")
    if model is not None and topology is not None:
        raise UsageError("--topology carries faces of the embedded model: not with --model")
    kinds = kinds_of(draw)
    if refine:
        require_torch()
    from rich.console import Console
    from rich.progress import Progress

    from mlanet.assets import verified_path
    from mlanet.detection import SCORE_THRESHOLD
    from mlanet.reconstructor import Reconstructor

    paths = [*images, *([verified_path("example-image")] if example else [])]
    threads = threads or min(os.cpu_count() or 1, 4)
    least = SCORE_THRESHOLD if min_score is None else min_score
    reconstructor = Reconstructor.load(
        threads=threads, weights=weights, model=model, min_score=least
    )
    transfer = None if topology is None else load_transfer(reconstructor, topology)
    failed = 0
    console = Console(stderr=True)
    quiet = len(paths) < 2 or not console.is_terminal
    with Progress(console=console, transient=True, disable=quiet) as progress:
        task = progress.add_task("Reconstructing", total=len(paths))
        for path, folder in zip(paths, folders_for(paths, out), strict=True):
            try:
                faces = reconstruct_file(
                    reconstructor, path, folder, max_faces, kinds, transfer, refine
                )
                _say(f"{path}: {number_and_scores(faces)} -> {folder}")
            except Exception as error:  # whatever one photo does, the others are still done
                failed += 1
                _complain(path, error)
            progress.advance(task)
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


def reconstruct_file(
    reconstructor: "Reconstructor",
    path: Path,
    folder: Path,
    max_faces: int | None = None,
    kinds: Sequence[str] = ("overlay",),
    transfer: "Transfer | None" = None,
    refine: bool = False,
) -> "list[Reconstruction]":
    """Reconstruct one photo into a folder, draw it and return its faces.

    With `refine`, each face is fitted to the photo's pixels (needs torch).

    Raises:
        ImageError: the photo cannot be read.
        NoFaceError: no face was found.
        OSError: the folder cannot be written to.
    """
    from mlanet.errors import NoFaceError
    from mlanet.image import read_image

    image = read_image(path)
    faces = reconstructor(image, max_faces=max_faces)
    if not faces:
        raise NoFaceError(f"{path}: no face found")
    if refine:
        from mlanet.fitting import refine as refined

        faces = [refined([face])[0] for face in faces]
    write_faces(faces, folder, kinds, transfer)
    return faces


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
    """Write a photo's faces and pictures; what an earlier run wrote beside them is removed.

    Raises:
        OSError: the folder cannot be written to.
    """
    from mlanet.image import write_image
    from mlanet.reconstruction import draw_faces
    from mlanet.render import PICTURES

    folder.mkdir(parents=True, exist_ok=True)
    written = {folder / f"{kind}.png" for kind in kinds}
    for number, face in enumerate(faces):
        name = f"face_{number:02d}"
        written |= set(face.save(folder, name))
        if transfer is not None:
            written |= set(face.save_topology(transfer, folder, name))
    for kind in kinds:
        write_image(folder / f"{kind}.png", draw_faces(faces, kind))
    own_pictures = {f"{kind}.png" for kind in PICTURES}
    for file in folder.iterdir():
        own = OWN_FILE.fullmatch(file.name) or file.name in own_pictures
        if own and file not in written:
            file.unlink()


def load_transfer(reconstructor: "Reconstructor", path: Path) -> "Transfer":
    """The way from the reconstructor's face model to a converted one.

    Raises:
        AssetError: the file is no face model, or was not converted for this one.
    """
    from mlanet.morphable import MorphableModel, Transfer

    return Transfer(reconstructor.model, MorphableModel.load(path))


def folders_for(paths: Iterable[Path], out: Path) -> list[Path]:
    """A folder below `out` for each photo, named after it; equal names are numbered."""
    taken: set[str] = set()
    folders = []
    for path in paths:
        stem = path.stem if path.stem.strip(". ") else "photo"
        name, number = stem, 2
        while name.casefold() in taken:
            name, number = f"{stem}-{number}", number + 1
        taken.add(name.casefold())
        folders.append(out / name)
    return folders


def _usage_problem(
    images: tuple[Path, ...], out: Path, example: bool, max_faces: int | None, threads: int
) -> str | None:
    if not images and not example:
        return "give at least one photo, or --example"
    if max_faces is not None and max_faces < 1:
        return f"--max-faces must be positive, got {max_faces}"
    if threads < 0:
        return f"--threads must not be negative, got {threads}"
    if out.exists() and not out.is_dir():
        return f"--out {out} is a file, not a folder"
    return None


def _say(line: str) -> None:
    from rich.console import Console

    Console().print(line, highlight=False, markup=False, soft_wrap=True)


def _complain(path: Path, error: BaseException) -> None:
    if isinstance(error, MemoryError):
        text = "not enough memory"
    elif isinstance(error, OSError) and error.filename is not None:
        text = f"cannot write {error.filename} ({error.strerror})"
    elif isinstance(error, MlanetError | OSError):
        text = str(error)
    else:
        text = f"unexpected {type(error).__name__}: {error}"
    line = text if text.startswith(str(path)) else f"{path}: {text}"
    print("mlanet: " + " ".join(line.split()), file=sys.stderr)
