"""A batch's tables read back as reconstructions."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.bulk.plan import FACES, PICTURES, TABLE_SUFFIX, read_plan
from mlanet.bulk.sources import content_of
from mlanet.bulk.storage import Storage, storage_of
from mlanet.bulk.tables import read_faces
from mlanet.coefficients import Coefficients
from mlanet.detection import Detection
from mlanet.errors import DataError
from mlanet.files import parsing
from mlanet.image import Crop, read_image
from mlanet.image.crop import resample
from mlanet.morphable import MorphableModel, load_model
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import facing_others

ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, eq=False)
class PictureFaces:
    """The faces of a picture, best detection first.

    Attributes:
        picture: its name: a path, `SHARD.tar/MEMBER`, or `FILE.parquet#ROW`.
        sha256: of its file.
        faces: as `Reconstructor` gave them.
    """

    picture: str
    sha256: str
    faces: list[Reconstruction]


def read(
    folder: str | os.PathLike[str],
    *,
    images: bool = True,
    model: MorphableModel | None = None,
) -> Iterator[PictureFaces]:
    """The pictures with a face of a batch that `mlanet batch` wrote, in the batch's order.

    Parts that are not done are left out, so that a batch can be read while it runs.

    Args:
        folder: of the batch: a path, or an address of other storage.
        images: whether pictures are read again from where they were, one after the other. Without
            them `image` and crops are black and take no memory: all but textures and pictures is
            as it was.
        model: the face model, if the batch was made with another than the one that ships.

    Raises:
        DataError: the folder holds no batch, a table is damaged or of another model, or a picture
            is gone or another one now.
    """
    storage = storage_of(folder if isinstance(folder, str) else Path(folder))
    plan = read_plan(storage)
    used = load_model() if model is None else model
    with parsing(str(storage), "not a batch of this version of mlanet", DataError):
        made_with = plan["options"]["model"]
    if used.provenance.sha256 != made_with:
        raise DataError(f"{storage}: was made with another face model: give it as `model`")
    return _pictures(storage, images, used)


def _pictures(storage: Storage, images: bool, model: MorphableModel) -> Iterator[PictureFaces]:
    for done in storage.listed(PICTURES, TABLE_SUFFIX):
        faces_table = f"{FACES}{done.removeprefix(PICTURES)}"
        path = f"{storage}/{faces_table}"
        about, table = read_faces(path, storage.read(faces_table))
        with parsing(path, "not a table of faces that `mlanet batch` wrote", DataError):
            rows = (
                row
                for batch in table.to_batches(max_chunksize=ROWS_AT_ONCE)
                for row in batch.to_pylist()
            )
            for faces in _grouped(rows):
                name, digest = faces[0]["picture"], faces[0]["sha256"]
                size = faces[0]["height"], faces[0]["width"]
                image = _image(name, digest) if images else _black(*size)
                if image.shape[:2] != size:
                    raise DataError(f"{name}: is another picture now")
                found = [_face(row, about, image, model, images) for row in faces]
                yield PictureFaces(name, digest, facing_others(found))


def _grouped(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The rows of each picture: the first of them is of face 0."""
    group: list[dict[str, Any]] = []
    for row in rows:
        if row["face"] == 0 and group:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _image(name: str, digest: str) -> UInt8[np.ndarray, "h w 3"]:
    content = content_of(name)
    if sha256(content).hexdigest() != digest:
        raise DataError(f"{name}: is another picture now (its SHA-256 differs)")
    return read_image(content, name=name)


def _black(height: int, width: int) -> UInt8[np.ndarray, "h w 3"]:
    return np.broadcast_to(np.uint8(0), (height, width, 3))


def _face(
    row: dict[str, Any],
    about: dict[str, Any],
    image: UInt8[np.ndarray, "h w 3"],
    model: MorphableModel,
    images: bool,
) -> Reconstruction:
    size = about["crop_size_px"]
    crop_from_image = np.array(row["crop_from_image"]).reshape(2, 3)
    crop = resample(image, crop_from_image, size) if images else _black(size, size)
    sure = row["landmark_confidence"]
    blocks = {name: row[name] for name in ("identity", "albedo")}
    blocks["expression"] = [row[name] for name in about["expressions"]]
    for name in ("rotation", "translation", "lighting"):
        blocks[name] = row[f"network_{name}"]
    return Reconstruction(
        image=image,
        detection=Detection(
            np.array(row["box_px"]), np.array(row["points_px"]).reshape(5, 2), row["score"]
        ),
        crop=Crop(crop, crop_from_image),
        coefficients=Coefficients(
            **{name: np.array(values, dtype=np.float32) for name, values in blocks.items()}
        ),
        rotation_kind=about["rotation"],
        model=model,
        confidence=row["confidence"],
        landmark_confidence=None if sure is None else np.array(sure),
    )
