"""What a person did, read back from tables: Live Link Face's CSV and mlanet's Parquet."""

import csv
import json
import os
from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.errors import DataError, UsageError
from mlanet.export import Animation
from mlanet.files import parsing
from mlanet.geometry import Pose, matrix_from_euler, viewer_from_camera
from mlanet.video.livelink import TICKS_PER_S, WEIGHTS
from mlanet.video.smoothing import Motion, smoothed

TABLES = (".csv", ".parquet")
"""Endings of files that hold a performance; everything else is taken for a film."""

ANGLES = ("pitch", "yaw", "roll")
HEAD = tuple(f"Head{angle.capitalize()}" for angle in ANGLES)

TICK_RATES = (24, 25, 30, 60)
"""Frames that a second of a timecode may have."""

LONG_S = 2.0
"""Of a recording that lasts so long, the timecode shows how many frames a second has."""

DAY_S = 24.0 * 3600.0

MOST_ROWS = 2_000_000


def read_performance(
    path: str | os.PathLike[str], names: Sequence[str], *, flip: Collection[str] = ()
) -> Animation:
    """Read a CSV or Parquet file of one person; the first row is the beginning.

    Args:
        path: its ending tells which it is.
        names: of the expressions, in the order that the weights shall have.
        flip: which of `yaw`, `pitch` and `roll` a CSV file counts the other way than
            docs/reference/conventions.md.

    Raises:
        DataError: it is no such file; the message begins with the path.
        UsageError: the ending is neither.
        OSError: it cannot be read.
    """
    file = Path(path)
    if file.suffix.lower() not in TABLES:
        raise UsageError(f"{file}: neither {' nor '.join(TABLES)}")
    if file.suffix.lower() == ".parquet":
        return read_table(file, names)
    return read_live_link(file, names, flip)


def calmed(performance: Animation, strength: float) -> Animation:
    """The performance without its tremble (`mlanet.video.smoothed`); 0 leaves it as it is.

    Raises:
        ValueError: the strength is not in [0, 1].
    """
    pose = Pose(performance.rotation, performance.offset_mm)
    steady = smoothed(Motion(performance.times_s, performance.expression, pose), strength)
    return Animation(
        steady.times_s, steady.expression, steady.pose.rotation, steady.pose.translation
    )


def read_live_link(path: Path, names: Sequence[str], flip: Collection[str] = ()) -> Animation:
    """Read a CSV file in the layout of Live Link Face, of the app or of mlanet.

    Columns are found by their names, whatever their order. Rotations of the eyes are left aside,
    since weights say the same; without rotations of the head it keeps still.

    Raises:
        DataError: see `read_performance`.
        OSError: it cannot be read.
    """
    opened = path.open(newline="", encoding="utf-8-sig")
    with opened as file, parsing(path, "is no CSV file", DataError):
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader, [])]
        rows = list(islice(filter(None, reader), MOST_ROWS))
    columns = {name.lower(): number for number, name in enumerate(header)}
    needed = {"Timecode": "timecode"} | {name: name.lower() for name in WEIGHTS}
    missing = [name for name, key in needed.items() if key not in columns]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(
            f"{path}: not in the layout of Live Link Face: lacks the column {missing[0]}{more}"
        )
    if not rows:
        raise DataError(f"{path}: holds no row")
    with parsing(path, "is malformed", DataError):
        times_s = _seconds([row[columns["timecode"]] for row in rows])
        weights = _numbers(rows, [columns[name.lower()] for name in names])
        turned = all(name.lower() in columns for name in HEAD)
        angles = np.zeros((len(rows), 3))
        if turned:
            signs = [-1.0 if angle in flip else 1.0 for angle in ANGLES]
            angles = _numbers(rows, [columns[name.lower()] for name in HEAD]) * signs
    return _performance(times_s, weights, viewer_from_camera(matrix_from_euler(angles)))


def read_table(path: Path, names: Sequence[str]) -> Animation:
    """Read a Parquet file that `mlanet video` wrote.

    Raises:
        DataError: see `read_performance`.
        OSError: it cannot be read.
    """
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    with path.open("rb"):
        pass
    try:
        file = pq.ParquetFile(path)
        about: dict[str, Any] = json.loads((file.schema_arrow.metadata or {})[b"mlanet"])
        if about["schema"] != 1:
            raise DataError(f"{path}: of another version of mlanet")
        wanted = ["time_s", "rotation", "translation_mm", *names]
        columns = {
            name: np.stack(column.to_numpy(zero_copy_only=False))
            for name, column in zip(
                wanted, file.read(wanted).select(wanted).combine_chunks().columns, strict=True
            )
        }
    except (ArrowException, KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path}: no Parquet file of mlanet video") from error
    rotation = columns["rotation"].reshape(-1, 3, 3).astype(np.float64)
    place = viewer_from_camera(columns["translation_mm"].astype(np.float64)[..., None])[..., 0]
    weights = np.stack([columns[name] for name in names], axis=1).astype(np.float64)
    return _performance(columns["time_s"], weights, viewer_from_camera(rotation), place)


def _performance(
    times_s: Float[np.ndarray, "n"],
    weights: Float[np.ndarray, "n e"],
    rotation: Float[np.ndarray, "n 3 3"],
    place_mm: Float[np.ndarray, "n 3"] | None = None,
) -> Animation:
    """From the first row on, without rows that are not later than all before."""
    later = np.r_[True, times_s[1:] > np.maximum.accumulate(times_s)[:-1]]
    place = np.zeros((len(times_s), 3)) if place_mm is None else place_mm
    return Animation(
        times_s[later] - times_s[0],
        weights[later],
        rotation[later],
        place[later] - np.median(place, axis=0),
    )


def _numbers(rows: list[list[str]], columns: list[int]) -> Float[np.ndarray, "n k"]:
    found = np.array([[float(row[column]) for column in columns] for row in rows])
    if not np.isfinite(found).all():
        raise ValueError(f"row {int(np.argmin(np.isfinite(found).all(axis=1))) + 2} has no number")
    return found


def _seconds(timecodes: list[str]) -> Float[np.ndarray, "n"]:
    """Of `HH:MM:SS:FF.FFF`, across midnight as well.

    A second of the app's timecode has 60 frames, or as many as its settings say. If all frames'
    numbers are below 24, 25 or 30, a recording of some length shows that it has no more.
    """
    fields = np.array([[float(field) for field in code.split(":")] for code in timecodes])
    hours, minutes, seconds, ticks = fields.T
    whole = hours * 3600.0 + minutes * 60.0 + seconds
    whole = whole + DAY_S * np.cumsum(np.r_[False, np.diff(whole) < -DAY_S / 2.0])
    rate = TICKS_PER_S
    if whole[-1] - whole[0] >= LONG_S:
        rate = min((each for each in TICK_RATES if ticks.max() < each), default=TICKS_PER_S)
    return whole + ticks / rate
