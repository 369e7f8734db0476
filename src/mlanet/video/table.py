"""Everything that is known of a person in a film, as Parquet."""

import json
import os
from typing import Any

import numpy as np

from mlanet.files import atomic_path
from mlanet.geometry import Pose, decode_lighting, landmarks_in_pixels
from mlanet.video.people import CHUNK, FilmedPerson
from mlanet.video.recording import Recording
from mlanet.video.smoothing import Motion

SCHEMA_VERSION = 1


def write_table(
    path: str | os.PathLike[str],
    person: FilmedPerson,
    recording: Recording,
    described: dict[str, Any],
) -> None:
    """Write a row for each frame in which the person is seen (docs/reference/output.md).

    What holds for all frames is JSON in the file's metadata, under `mlanet`.

    Args:
        path: where to; replaced only when the new file is whole.
        person: whose.
        recording: which `person.rows` belong to.
        described: more for the metadata: film, size, settings.

    Raises:
        OSError: the file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    common = {
        "schema": SCHEMA_VERSION,
        "face_model": person.model.name,
        "camera": {"intrinsics_px": person.camera.matrix.tolist()},
        "identity": person.identity.tolist(),
        "albedo": person.albedo.tolist(),
        **described,
    }
    metadata = {"mlanet": json.dumps(common)}
    with atomic_path(path) as temporary:
        writer: Any = None
        try:
            for start in range(0, len(person.frames), CHUNK):
                columns = _columns(person, recording, slice(start, start + CHUNK))
                table = pa.table({name: _arrow(values) for name, values in columns.items()})
                if writer is None:
                    schema = table.schema.with_metadata(metadata)
                    writer = pq.ParquetWriter(temporary, schema)
                writer.write_table(table.cast(writer.schema))
        finally:
            if writer is not None:
                writer.close()


def _columns(person: FilmedPerson, recording: Recording, part: slice) -> dict[str, np.ndarray]:
    faces = recording.faces()[person.rows[part]]
    lighting = recording.layout.split(np.array(faces["vector"], dtype=np.float64)).lighting
    pose = Pose(person.motion.pose.rotation[part], person.motion.pose.translation[part])
    landmarks = landmarks_in_pixels(person.camera, pose, person.landmarks(part))
    columns = {
        "frame": person.frames[part],
        "time_s": person.motion.times_s[part],
        "confidence": person.confidence[part].astype(np.float32),
        "square_px": np.array(faces["square_px"]).astype(np.float32),
    }
    columns |= _moving(person, person.motion, part, "")
    columns |= _moving(person, person.raw, part, "raw_")
    columns["landmarks_px"] = landmarks.reshape(len(landmarks), -1).astype(np.float32)
    lighting = decode_lighting(lighting)
    columns["lighting"] = lighting.reshape(len(lighting), -1).astype(np.float32)
    return columns


def _moving(
    person: FilmedPerson, motion: Motion, part: slice, prefix: str
) -> dict[str, np.ndarray]:
    rotation, translation = motion.pose.rotation[part], motion.pose.translation[part]
    pitch, yaw, roll = Pose(rotation, translation).euler_deg.T.astype(np.float32)
    columns = {
        "yaw_deg": yaw,
        "pitch_deg": pitch,
        "roll_deg": roll,
        "rotation": rotation.reshape(len(rotation), 9).astype(np.float32),
        "translation_mm": translation.astype(np.float32),
    }
    weights = motion.expression[part].astype(np.float32)
    columns |= dict(zip(person.model.expression_names, weights.T, strict=True))
    return {f"{prefix}{name}": values for name, values in columns.items()}


def _arrow(values: np.ndarray) -> Any:
    """A column; rows of several numbers as lists of one length."""
    import pyarrow as pa

    if values.ndim == 1:
        return pa.array(np.ascontiguousarray(values))
    flat = pa.array(np.ascontiguousarray(values).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])
