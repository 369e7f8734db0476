"""`mlanet reconstruct --same-person`: several photos in, one head out."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlanet.cli.common import EXIT_FAILED, EXIT_OK, complain, count_up, say
from mlanet.cli.outputs import Outputs
from mlanet.cli.photos import Photo, Run
from mlanet.cli.telling import about, numbers_of
from mlanet.errors import UsageError
from mlanet.files import (
    Origin,
    Result,
    atomic_path,
    finished_result,
    folder_names,
    read_manifest,
    remove_leftovers,
    result_folder,
)

if TYPE_CHECKING:
    from mlanet.morphable import Transfer
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor

SCHEMA_VERSION = 1

NAME = "person"
"""Of the files, and of the folder unless all photos lie in one folder that was named."""

OF_ONE_PHOTO = ("pts", "blender")
"""Formats that say how one photo shows a face."""


@dataclass(frozen=True, slots=True)
class PersonTask:
    """How a run of photos of one person is done.

    Attributes:
        reconstructor: sees the faces.
        outputs: what is written.
        options: what else decides how the result looks, as plain values.
        transfer: to another face model's topology.
        max_faces: of a photo that may be the person.
        refine: bring the shape nearer to the shading of the photos.
        run: whether it is done again where the very result is there, and what is said.
    """

    reconstructor: "Reconstructor"
    outputs: Outputs
    options: dict[str, Any]
    transfer: "Transfer | None" = None
    max_faces: int | None = None
    refine: bool = True
    run: Run = Run()


def check_formats_of_person(outputs: Outputs) -> None:
    """Refuse formats that belong to one photo.

    Raises:
        UsageError: there is such a format.
    """
    wrong = [name for name in outputs.format_names if name in OF_ONE_PHOTO]
    if wrong:
        raise UsageError(f"--formats {wrong[0]} is of one photo: not with --same-person")


def person_stem(words: Sequence[str]) -> str:
    """What a person's folder is called: after the one folder that was named, if it is one."""
    if len(words) == 1 and Path(words[0]).is_dir():
        return Path(words[0]).resolve().name or NAME
    return NAME


def reconstruct_person(photos: Sequence[Photo], out: Path, stem: str, task: PersonTask) -> int:
    """Write the head of the person that all photos show; returns the exit status.

    Photos without a face, or of clearly another person, are named on stderr and left out.

    Raises:
        OSError: the result cannot be written.
    """
    from mlanet.person import choose_faces, join_person

    remove_leftovers(out)
    read: list[tuple[Photo, Any]] = []
    hashes: list[str] = []
    for photo in photos:
        try:
            image, origin = photo.read()
        except Exception as error:  # the other photos may be enough
            complain(about(photo, error), error)
            continue
        read.append((photo, image))
        hashes.append(origin.sha256)
    status = EXIT_OK if len(read) == len(photos) else EXIT_FAILED
    origin = Origin(None, hashlib.sha256("\n".join(hashes).encode()).hexdigest())
    done = None if task.run.overwrite else finished_result(out, stem, origin, task.options)
    if read and done is not None:
        _tell(task, f"already done, skipped (--overwrite does it again) -> {done}", "skipped", done)
        return status
    found: list[list[Reconstruction]] = []
    for number, (_, image) in enumerate(read, 1):
        found.append(task.reconstructor(image, max_faces=task.max_faces))
        count_up(number, len(read), "faces in photo ")
    chosen = choose_faces(found)
    used: list[Photo] = []
    for (photo, _), faces, face in zip(read, found, chosen, strict=True):
        if face is not None:
            used.append(photo)
        else:
            why = "shows clearly another person than the others" if faces else "no face found"
            complain(f"{photo.name}: {why}; left out")
    if not used:
        complain("no photo shows the person: nothing was written")
        return EXIT_FAILED
    faces = join_person([face for face in chosen if face is not None], refine=task.refine)
    paths = [photo.path for photo in photos if photo.path is not None]
    with result_folder(out, stem, origin, inputs=paths, options=task.options) as result:
        write_person(result.staging, used, faces, task, title=stem)
    _tell(task, _done(used, result), "done", result.folder, used, faces)
    return status


def write_person(
    folder: Path,
    photos: Sequence[Photo],
    faces: "Sequence[Reconstruction]",
    task: PersonTask,
    *,
    title: str,
) -> None:
    """Write a person's head, page and pictures.

    Raises:
        OSError, ImageError: a file cannot be written.
    """
    from mlanet.image import write_image
    from mlanet.person.joining import best_first
    from mlanet.viewing import write_page
    from mlanet.viewing.reconstructions import MAX_HEADS

    outputs, best = task.outputs, best_first(faces)[0]
    names = folder_names(photo.stem for photo in photos)
    texture = outputs.texture_choice
    formats = [name for name in outputs.format_names if name != "json"]
    best.save(folder, NAME, formats, extent=outputs.mesh, texture=texture)
    if task.transfer is not None:
        best.save_topology(task.transfer, folder, NAME, outputs.format_names, texture=texture)
    if "json" in outputs.format_names:
        content = person_dict(photos, names, faces, best)
        with atomic_path(folder / f"{NAME}.json") as temporary:
            text = json.dumps(content, indent=1, allow_nan=False)
            temporary.write_text(text + "\n", encoding="utf-8")
    for name, face in zip(names, faces, strict=True):
        for kind in outputs.pictures:
            write_image(folder / f"{kind}-{name}.png", face.draw(kind, hair=not outputs.no_hair))
    shown = list(zip(faces, names, strict=True))[:MAX_HEADS]
    heads = [
        face.viewed(name, detail=outputs.detail, hair=not outputs.no_hair) for face, name in shown
    ]
    write_page(folder / "view.html", heads, title)


def person_dict(
    photos: Sequence[Photo],
    names: Sequence[str],
    faces: "Sequence[Reconstruction]",
    best: "Reconstruction",
) -> dict[str, Any]:
    """The content of person.json (docs/reference/person.schema.json)."""
    each = [face.as_dict() for face in faces]
    best_name = next(name for name, face in zip(names, faces, strict=True) if face is best)
    return {
        "schema": SCHEMA_VERSION,
        "face_model": each[0]["face_model"],
        "identity": each[0]["identity"],
        "albedo": each[0]["albedo"],
        "best_photo": best_name,
        "photos": [
            {"name": name, "photo": None if photo.path is None else str(photo.path), "face": face}
            for photo, name, face in zip(photos, names, each, strict=True)
        ],
    }


def _done(photos: Sequence[Photo], result: Result) -> str:
    count = f"{len(photos)} photo" + ("" if len(photos) == 1 else "s")
    because = f"; {result.moved_because}" if result.moved_because else ""
    return f"one person in {count}{because} -> {result.folder}"


def _tell(
    task: PersonTask,
    line: str,
    status: str,
    folder: Path,
    photos: Sequence[Photo] = (),
    faces: "Sequence[Reconstruction]" = (),
) -> None:
    if task.run.json:
        manifest = read_manifest(folder)
        content = {
            "status": status,
            "folder": str(folder),
            "files": [] if manifest is None else sorted(manifest.names),
            "photos": [photo.name for photo in photos],
            "faces": [numbers_of(face) for face in faces],
        }
        say(json.dumps(content))
    elif not task.run.quiet:
        say(line)
