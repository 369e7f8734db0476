"""The tables of a batch: a row for each face, and one for each picture."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mlanet.bulk.plan import SCHEMA_VERSION
from mlanet.coefficients import CoefficientLayout
from mlanet.errors import DataError
from mlanet.files import json_value, parsing
from mlanet.morphable import MorphableModel
from mlanet.reconstruction import Reconstruction
from mlanet.version import __version__

KEY = b"mlanet"
"""Under which a table's metadata hold JSON that says how to read it."""


@dataclass(slots=True)
class PictureRow:
    """What became of a picture; the columns of the table of pictures.

    Attributes:
        picture: its name.
        sha256: of its file; None if that could not be read.
        width: in pixels, upright; None if it could not be decoded, as the next one.
        height: in pixels.
        faces: how many were found.
        folder: of its files below the batch's folder, if files were wanted and there is a face.
        warning: what is damaged in a file that was read all the same.
        error: why there is no result, or none of its files.
    """

    picture: str
    sha256: str | None = None
    width: int | None = None
    height: int | None = None
    faces: int = 0
    folder: str | None = None
    warning: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FaceTables:
    """Faces of one face model and network as tables.

    Attributes:
        model: the face model.
        layout: of the network's coefficients.
        options: of the batch, for the metadata.
    """

    model: MorphableModel
    layout: CoefficientLayout
    options: dict[str, Any]

    def encoded(self, rows: Sequence[dict[str, Any]]) -> bytes:
        """The Parquet file of rows of `row_of`; without any, an empty table."""
        import pyarrow as pa

        schema = self.schema()
        columns = [_column([row[field.name] for row in rows], field.type) for field in schema]
        return _encoded(pa.Table.from_arrays(columns, schema=schema))

    def schema(self) -> Any:
        """The table's columns, and metadata that tell how they were made."""
        import pyarrow as pa

        single, double = pa.float32(), pa.float64()
        columns: dict[str, Any] = {
            "picture": pa.string(),
            "sha256": pa.string(),
            "face": pa.int32(),
            "width": pa.int32(),
            "height": pa.int32(),
            "score": double,
            "confidence": single,
            "yaw_deg": single,
            "pitch_deg": single,
            "roll_deg": single,
            "box_px": pa.list_(double, 4),
            "points_px": pa.list_(double, 10),
            "landmarks_px": pa.list_(single, 3 * 68),
            "landmark_confidence": pa.list_(single, 68),
            "rotation": pa.list_(single, 9),
            "translation_mm": pa.list_(single, 3),
            "focal_length_px": double,
            "principal_point_px": pa.list_(double, 2),
            "crop_from_image": pa.list_(double, 6),
            **dict.fromkeys(self.model.expression_names, single),
        }
        sizes = self.layout.sizes
        columns |= {name: pa.list_(single, sizes[name]) for name in ("identity", "albedo")}
        for name in ("rotation", "translation", "lighting"):
            columns[f"network_{name}"] = pa.list_(single, sizes[name])
        about = {
            "schema": SCHEMA_VERSION,
            "mlanet": __version__,
            "face_model": self.model.name,
            "expressions": list(self.model.expression_names),
            "rotation": self.layout.rotation,
            **self.options,
        }
        return pa.schema(list(columns.items()), metadata={KEY: json.dumps(about)})


def row_of(picture: PictureRow, number: int, face: Reconstruction) -> dict[str, Any]:
    """A face's row: values by column; None for what the network does not say."""
    found, coefficients, pose, camera = face.detection, face.coefficients, face.pose, face.camera
    assert found is not None
    pitch, yaw, roll = face.euler_deg
    return {
        "picture": picture.picture,
        "sha256": picture.sha256,
        "face": number,
        "width": picture.width,
        "height": picture.height,
        "score": float(found.score),
        "confidence": face.confidence,
        "yaw_deg": float(yaw),
        "pitch_deg": float(pitch),
        "roll_deg": float(roll),
        "box_px": found.box_px,
        "points_px": found.landmarks_px,
        "landmarks_px": face.landmarks_px,
        "landmark_confidence": face.landmark_confidence,
        "rotation": pose.rotation,
        "translation_mm": pose.translation,
        "focal_length_px": camera.focal_length_px,
        "principal_point_px": camera.principal_point_px,
        "crop_from_image": face.crop.crop_from_image,
        **face.expression,
        "identity": coefficients.identity,
        "albedo": coefficients.albedo,
        "network_rotation": coefficients.rotation,
        "network_translation": coefficients.translation,
        "network_lighting": coefficients.lighting,
    }


def encoded_pictures(rows: Sequence[PictureRow]) -> bytes:
    """The Parquet file of a part's pictures."""
    import pyarrow as pa

    whole = ("width", "height", "faces")
    names = [each.name for each in fields(PictureRow)]
    schema = pa.schema([(name, pa.int32() if name in whole else pa.string()) for name in names])
    columns = [[getattr(row, name) for row in rows] for name in names]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return _encoded(pa.Table.from_arrays(arrays, schema=schema))


def read_faces(name: str, content: bytes) -> tuple[dict[str, Any], Any]:
    """What a table of faces says of itself, and the table.

    Raises:
        DataError: it is damaged or another table; the message begins with its name.
    """
    with parsing(name, "not a table of faces that `mlanet batch` wrote", DataError):
        table = _decoded(content)
        about = json_value((table.schema.metadata or {})[KEY])
        if about["schema"] != SCHEMA_VERSION:
            raise ValueError(f"schema {about['schema']}, expected {SCHEMA_VERSION}")
        return about, table


def errors_of(name: str, content: bytes) -> list[dict[str, str]]:
    """Pictures of a part without a result, and why.

    Raises:
        DataError: the table is damaged; the message begins with its name.
    """
    with parsing(name, "not a table of pictures that `mlanet batch` wrote", DataError):
        rows = _decoded(content, ["picture", "error"]).to_pylist()
    return [row for row in rows if row["error"] is not None]


def _column(values: Sequence[Any], kind: Any) -> Any:
    """A column; rows of several numbers as lists of one length."""
    import pyarrow as pa

    if not pa.types.is_fixed_size_list(kind):
        return pa.array(values, kind)
    if not kind.list_size or any(value is None for value in values):
        lists = [None if value is None else np.ravel(value).tolist() for value in values]
        return pa.array(lists, kind)
    numbers = np.array([np.ravel(value) for value in values]).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(numbers, kind.value_type), kind.list_size)


def _encoded(table: Any) -> bytes:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(table, file, compression="zstd", use_dictionary=False)
    return file.getvalue()


def _decoded(content: bytes, columns: list[str] | None = None) -> Any:
    """A table, read without Arrow's threads: one that starts late can abort a process that ends."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(pa.BufferReader(content)) as file:
        return file.read(columns=columns, use_threads=False)
