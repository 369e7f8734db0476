"""What a process of a batch does: a part of the pictures from their bytes to the tables."""

import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.bulk.plan import FACES, FILES, PICTURES, Batch, Part
from mlanet.bulk.settings import Settings
from mlanet.bulk.tables import FaceTables, PictureRow, encoded_pictures, row_of
from mlanet.errors import MlanetError
from mlanet.files import one_line
from mlanet.image import read_image, write_image
from mlanet.reconstruction import Reconstruction, draw_faces
from mlanet.reconstructor import Reconstructor
from mlanet.workers import end_with_parent

READY, AT, DONE, DYING, BROKEN = "ready", "at", "done", "dying", "broken"
"""What a process says: it can work; it begins with a picture (its place in the part); a part is
written (`Done`); it ends because of an error of no known kind; the batch cannot go on."""

BEFORE_THE_NETWORK = 16
"""Crops that the network sees together."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a part, and how long it took."""

    pictures: int
    faces: int
    without_face: int
    errors: int
    seconds: float


def work(connection: Connection, batch: Batch, options: dict[str, Any]) -> None:
    """Do parts until the other end is closed.

    Args:
        connection: parts come in, tuples that begin with one of the words above go out.
        batch: without its sources; each part brings its own pictures.
        options: of the batch, for the tables' metadata.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when it ends
    end_with_parent()
    try:
        worker = PartWorker.load(batch, options)
        connection.send((READY,))
        while True:
            part: Part = connection.recv()
            done = worker.do(part, lambda place: connection.send((AT, place)))
            connection.send((DONE, done))
    except (EOFError, BrokenPipeError):
        return
    except (MlanetError, OSError) as error:
        connection.send((BROKEN, described(error)))
    except Exception as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        connection.send((DYING, f"unexpected {type(error).__name__}: {one_line(error)}"))


@dataclass(frozen=True, slots=True)
class PartWorker:
    """Does parts of a batch, one after the other."""

    batch: Batch
    reconstructor: Reconstructor
    tables: FaceTables

    @classmethod
    def load(cls, batch: Batch, options: dict[str, Any]) -> "PartWorker":
        """Networks and face model, which work with one thread.

        Raises:
            AssetError: a file is missing, altered or does not fit the others.
        """
        import cv2

        cv2.setNumThreads(1)
        reconstructor = batch.settings.load()
        layout = reconstructor.regressor.config.layout
        options = options | {"crop_size_px": reconstructor.regressor.config.input_size}
        return cls(batch, reconstructor, FaceTables(reconstructor.model, layout, options))

    def do(self, part: Part, at: Callable[[int], None]) -> Done:
        """Write a part's files and tables; that of the pictures comes last.

        Args:
            part: the pictures.
            at: is told the place of each picture before it is read.

        Raises:
            MlanetError, OSError: something cannot be written.
        """
        pictures: list[PictureRow] = []
        rows: list[dict[str, Any]] = []
        storage, settings = self.batch.storage, self.batch.settings
        files = storage.folder(f"{FILES}/{part.name}") if settings.writes_files else nullcontext()
        start_s = time.monotonic()
        with files as staging:
            for number, faces in self._seen(part, pictures, at):
                picture = pictures[number]
                rows += _rows(picture, faces)
                if staging is not None and picture.faces:
                    name = f"{number:04d}"
                    picture.folder = f"{FILES}/{part.name}/{name}"
                    _write_files(picture, faces, staging / name, settings)
        storage.write(part.table(FACES), self.tables.encoded(rows))
        storage.write(part.table(PICTURES), encoded_pictures(pictures))
        errors = sum(picture.error is not None for picture in pictures)
        without = sum(not picture.faces and picture.error is None for picture in pictures)
        seconds = time.monotonic() - start_s
        return Done(len(pictures), len(rows), without, errors, seconds)

    def _seen(
        self, part: Part, pictures: list[PictureRow], at: Callable[[int], None]
    ) -> Iterator[tuple[int, list[Reconstruction]]]:
        """Place and faces of each picture that can be decoded; `pictures` gets a row of all."""
        given: list[int] = []

        def failed(number: int, error: Exception) -> None:
            row = pictures[given[number]]
            row.error = _reason(error, row.picture)

        decoded = _decoded(part, pictures, given, at)
        found = self.reconstructor.many(
            decoded,
            batch_size=BEFORE_THE_NETWORK,
            max_faces=self.batch.settings.max_faces,
            failed=failed,
        )
        for number, faces in enumerate(found):
            yield given[number], faces


def _decoded(
    part: Part, pictures: list[PictureRow], given: list[int], at: Callable[[int], None]
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The pictures that can be decoded, whose places `given` gets."""
    try:
        for place, (name, load) in enumerate(part.source.pictures()):
            row = PictureRow(name.encode("utf-8", "backslashreplace").decode())
            pictures.append(row)
            row.error = part.lost.get(place)
            if row.error is not None:
                continue
            at(place)
            try:
                image = _decode(row, load)
            except Exception as error:  # whatever one picture does, the others are still done
                row.error = _reason(error, name)
            else:
                given.append(place)
                yield image
    except MlanetError as error:  # the file that holds them is gone
        for place in range(len(pictures), len(part.source)):
            name = f"{part.source.origin}: picture {place}"
            pictures.append(PictureRow(name, error=str(error)))


def _decode(row: PictureRow, load: Callable[[], bytes]) -> UInt8[np.ndarray, "h w 3"]:
    content = load()
    row.sha256 = sha256(content).hexdigest()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        image = read_image(content, name=row.picture)
    if said:
        row.warning = one_line(said[0].message).removeprefix(f"{row.picture}: ")
    row.height, row.width = image.shape[:2]
    return image


def _rows(picture: PictureRow, faces: Sequence[Reconstruction]) -> list[dict[str, Any]]:
    try:
        rows = [row_of(picture, number, face) for number, face in enumerate(faces)]
    except Exception as error:
        picture.error = _reason(error, picture.picture)
        return []
    picture.faces = len(rows)
    return rows


def _write_files(
    picture: PictureRow, faces: Sequence[Reconstruction], folder: Path, settings: Settings
) -> None:
    folder.mkdir()
    try:
        for number, face in enumerate(faces):
            if settings.formats:
                face.save(folder, f"face_{number:02d}", settings.formats)
        for kind in settings.pictures:
            write_image(folder / f"{kind}.png", draw_faces(faces, kind))
    except OSError:
        raise
    except Exception as error:  # its numbers are good
        picture.error = _reason(error, picture.picture)


def _reason(error: Exception, name: str) -> str:
    if isinstance(error, MlanetError):
        return one_line(error).removeprefix(f"{name}: ")
    if isinstance(error, MemoryError):
        return "takes more memory than there is"
    return f"unexpected {type(error).__name__}: {one_line(error)}"


def described(error: Exception) -> str:
    """An error as one line that names the file at fault."""
    if not isinstance(error, OSError):
        return str(error)
    named = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    return f"{named}{error.strerror or error}"
