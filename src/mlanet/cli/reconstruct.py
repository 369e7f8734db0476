"""`mlanet reconstruct`: photos in, textured 3D faces out."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_OK,
    Flag,
    OutPath,
    SomePath,
    check_folder,
    complain,
)
from mlanet.cli.faces import Faces, FacesOptions, Networks
from mlanet.cli.outputs import OutputOptions, Outputs
from mlanet.cli.photos import PhotoFolders, PhotoOptions, PhotoWords, Run, write_faces
from mlanet.cli.same_person import (
    PersonTask,
    check_formats_of_person,
    person_stem,
    reconstruct_person,
)
from mlanet.cli.telling import PhotoLines
from mlanet.errors import NoFaceError, UsageError

if TYPE_CHECKING:
    from mlanet.morphable import Transfer
    from mlanet.reconstructor import Reconstructor


@dataclass(frozen=True, slots=True)
class Models(Networks):
    """Networks and face models of the user's."""

    topology: SomePath = None
    """A face model of your own, written by mlanet models convert."""

    def check(self) -> None:
        """Refuse a topology that belongs to another face model."""
        if self.model is not None and self.topology is not None:
            raise UsageError("--topology carries faces of the embedded model: not with --model")


def reconstruct(
    photos: PhotoOptions = PhotoWords(),
    *,
    out: OutPath = Path("out"),
    outputs: OutputOptions = Outputs(),
    faces: FacesOptions = Faces(),
    models: Annotated[Models, tyro.conf.OmitArgPrefixes] = Models(),
    run: Annotated[Run, tyro.conf.OmitArgPrefixes] = Run(),
    no_refine: Flag = False,
    same_person: Flag = False,
) -> int:
    """Turn every face of every photo into a textured head.

    For photo.jpg the folder OUT/photo/ receives overlay.png, the other pictures asked for and, for
    each face, face_NN.glb and face_NN.json, or what --formats names; with --topology also
    face_NN.topology, in the vertices and triangles of another face model. A photo that was done
    before in the same way is skipped, another earlier result of it is replaced; whatever else is
    there stays, and the result then goes to OUT/photo-2/.

    With --same-person all photos show one person, and the folder OUT/person/ (or that of the one
    folder which is given) receives one head: (1) in each photo the largest face is taken, or one
    that is clearly more like those of the others; (2) shape and albedo come from all photos;
    (3) each photo's pose and expression are found anew, and the shape is brought nearer to the
    shading of all photos; (4) one texture is made of all photos.
    person.glb, person.json, view.html and overlay-PHOTO.png are written.

    Args:
        photos: Which photos.
        out: Folder for the results.
        outputs: What is written.
        faces: Which faces of a photo.
        models: Networks and face models of yours.
        run: How it runs, and what it says.
        no_refine: Leave shapes as the network sees them, more alike, instead of bringing them
            nearer to the photo's shading: 0.1 to 0.2 s less for a face.
        same_person: All photos show one person: make one head of them.

    Returns:
        Exit status: 0 all done, 1 some photos failed (each named on stderr), 2 wrong usage.
    """
    for options in (photos, faces, models, run, outputs):
        options.check()
    if same_person:
        check_formats_of_person(outputs)
    check_folder("--out", out)
    given, problems = photos.found()
    for problem in problems:
        complain(problem)
    if not given:
        return EXIT_FAILED
    from mlanet.detection import SCORE_THRESHOLD
    from mlanet.fitting import refine_if_possible
    from mlanet.reconstructor import Reconstructor

    reconstructor = Reconstructor.load(
        threads=run.threads or min(os.cpu_count() or 1, 4),
        weights=models.weights,
        model=models.model,
        min_score=SCORE_THRESHOLD if faces.min_score is None else faces.min_score,
        device=models.device,
    )
    outputs.check_model(reconstructor.model)
    transfer = None
    if models.topology is not None:
        transfer = load_transfer(reconstructor, models.topology)
    options = asdict(faces) | outputs.record() | {"refine": not no_refine}
    options |= fingerprints(models, reconstructor, transfer)
    if same_person:
        person = PersonTask(
            reconstructor,
            outputs,
            options | {"same_person": True},
            transfer,
            faces.max_faces,
            not no_refine,
            run,
        )
        status = reconstruct_person(given, out, person_stem(photos.photos), person)
        return EXIT_FAILED if problems else status
    folders = PhotoFolders(given, out, options)
    with PhotoLines(len(given), as_json=run.json, quiet=run.quiet) as lines:
        for number, photo in enumerate(given):
            finished = None if run.overwrite else folders.finished(number)
            if finished is not None:
                lines.skipped(photo, finished)
                continue
            try:
                image, origin = photo.read()
                found = reconstructor(image, max_faces=faces.max_faces)
                if not found:
                    raise NoFaceError(f"{photo.name}: no face found")
                if not no_refine:
                    found = [refine_if_possible(face) for face in found]
                with folders.result(number, origin) as result:
                    write_faces(found, result.staging, outputs, transfer, title=photo.stem)
            except Exception as error:  # whatever one photo does, the others are still done
                lines.failure(photo, error)
            else:
                lines.done(photo, found, result)
    return EXIT_FAILED if lines.failed or problems else EXIT_OK


def fingerprints(
    models: Models, reconstructor: "Reconstructor", transfer: "Transfer | None"
) -> dict[str, str]:
    """Hashes of the network and of the face models that results depend on.

    Raises:
        OSError: the network's file cannot be read.
    """
    from mlanet.assets import asset_records
    from mlanet.files.manifest import sha256_of

    network = asset_records()["mobile"].sha256
    if models.weights is not None:
        network = sha256_of(models.weights)
    other = "" if transfer is None else transfer.other.provenance.sha256
    return {
        "network": network,
        "model": reconstructor.model.provenance.sha256,
        "topology": other,
    }


def load_transfer(reconstructor: "Reconstructor", path: Path) -> "Transfer":
    """The way from the reconstructor's face model to a converted one.

    Raises:
        AssetError: the file is no face model, or was not converted for this one.
    """
    from mlanet.morphable import Transfer, load_model

    return Transfer(reconstructor.model, load_model(path))
