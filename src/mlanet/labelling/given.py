"""The landmarks that a data set gives, read without its pictures where that is possible."""

from itertools import compress
from operator import not_
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped

from mlanet.datasets import SkippedSamples, open_dataset, read_samples
from mlanet.datasets.archive import load_arrays
from mlanet.errors import DataError
from mlanet.geometry import viewer_from_camera


class GivenLandmarks(NamedTuple):
    """What is to be fitted; samples that cannot be read or have no landmarks are not in it.

    Attributes:
        names: of the samples.
        points: x, y and, with three columns, nearness (pixels).
        skipped: what was left out.
        rotation: model to camera, if it was asked for and every sample has one.
        jaw_on_surface: whether the jaw points are fixed on the face's surface.
    """

    names: Shaped[np.ndarray, "n"]
    points: Float[np.ndarray, "n 68 d"]
    skipped: SkippedSamples
    rotation: Float[np.ndarray, "n 3 3"] | None = None
    jaw_on_surface: bool = False


def read_landmarks(data: Path, *, with_rotation: bool) -> GivenLandmarks:
    """From a folder with `labels.npz`, or from samples of another layout.

    Raises:
        DataError: there are none, or a file is missing or malformed.
    """
    path = data / "labels.npz"
    found = (
        _from_labels(path, with_rotation) if path.exists() else _from_samples(data, with_rotation)
    )
    if not len(found.points):
        raise DataError(f"{data}: no landmarks to fit to")
    if found.points.shape[2] not in (2, 3):
        raise DataError(f"{data}: 'pts68_px' must have 2 or 3 coordinates")
    return found


def _from_labels(path: Path, with_rotation: bool) -> GivenLandmarks:
    wanted = {"name": (), "pts68_px": (68, None)}
    optional = {"rotation": (3, 3)} if with_rotation else None
    arrays = load_arrays(path, wanted, optional, finite=False)
    viewed = arrays.get("rotation")
    rotation = None if viewed is None else viewer_from_camera(viewed.astype(np.float64))
    deep = arrays["pts68_px"].shape[2] == 3
    return GivenLandmarks(arrays["name"], arrays["pts68_px"], SkippedSamples(), rotation, deep)


def _from_samples(data: Path, with_rotation: bool) -> GivenLandmarks:
    dataset = open_dataset(data)
    names: list[str] = []
    points: list[np.ndarray] = []
    rotations: list[np.ndarray | None] = []
    on_surface = True
    for index, name in enumerate(dataset.names):
        for sample in read_samples(dataset, [index]):
            if sample.landmarks_px is None:
                dataset.skipped.add(name, f"{name}: no landmarks")
            elif points and sample.landmarks_px.shape != points[0].shape:
                dataset.skipped.add(name, f"{name}: landmarks of another shape")
            else:
                names.append(name)
                points.append(sample.landmarks_px)
                rotations.append(sample.rotation)
                on_surface &= sample.jaw_on_surface
    known = [rotation for rotation in rotations if rotation is not None]
    if with_rotation and known:
        posed = [rotation is not None for rotation in rotations]
        for name in compress(names, map(not_, posed)):
            dataset.skipped.add(name, f"{name}: no rotation")
        names, points = list(compress(names, posed)), list(compress(points, posed))
    rotation = np.array(known) if known and len(known) == len(points) else None
    return GivenLandmarks(
        np.array(names, np.str_), np.array(points), dataset.skipped, rotation, on_surface
    )
