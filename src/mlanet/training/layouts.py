"""Data sets in other layouts than our own as sources: 300W-LP, shards, photos and the like."""

from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.datasets import Sample, open_dataset
from mlanet.datasets.layouts import layout_of
from mlanet.datasets.photos import MARGIN
from mlanet.errors import DataError
from mlanet.image import square_from_landmarks
from mlanet.image.crop import SQUARE_PER_LANDMARKS
from mlanet.morphable import MorphableModel
from mlanet.training.photos import Photos
from mlanet.training.sample import Face


class DatasetSource:
    """Any data set of `mlanet.datasets`, told by its files' names; knows no coefficients.

    Samples without landmarks are taken for crops as `PhotoFolder` cuts them out; they serve as
    unlabelled ones only.
    Landmarks are taken without their depth, and none is held out.

    Raises:
        DataError: there is no such data set, or it is one to evaluate with.
    """

    real, with_depth, knows = True, False, False

    def __init__(self, path: Path, model: MorphableModel) -> None:
        if layout_of(path) == "aflw2000":
            raise DataError(f"{path}: AFLW2000-3D is there to evaluate with, not to train on")
        self.name = path.name
        self._dataset = open_dataset(path)
        self._size = model.layout.size
        self.photos = Photos.of_files(self.name, [str(name) for name in self._dataset.names])
        self.skipped = self._dataset.skipped

    def __len__(self) -> int:
        return len(self._dataset)

    @property
    def fingerprint(self) -> str:
        """A hash of the samples' names."""
        return sha256("\n".join(str(name) for name in self._dataset.names).encode()).hexdigest()

    def __getitem__(self, index: int) -> Face:
        """A face.

        Raises:
            DataError: it cannot be read.
        """
        sample = self._dataset[index]
        points = square_of(sample) if sample.landmarks_px is None else sample.landmarks_px[:, :2]
        box = square_from_landmarks(points)
        if not np.isfinite(points).all() or not box[2] > box[0]:
            raise DataError(f"{sample.name}: the landmarks have no extent")
        nothing = np.zeros(self._size, np.float32)
        return Face(
            image=sample.image,
            landmarks_px=np.pad(points, ((0, 0), (0, 1))),
            has_depth=False,
            box_px=box,
            coefficients=nothing,
            known=np.zeros(self._size, bool),
            square_px=(0.0, 0.0, float(max(sample.image.shape[:2]))),
            has_landmarks=sample.landmarks_px is not None,
        )


def square_of(sample: Sample) -> Float[np.ndarray, "68 2"]:
    """Points on the corners of a square whose crop is the middle of a picture without landmarks."""
    height, width = sample.image.shape[:2]
    half = min(height, width) / (2.0 * MARGIN * SQUARE_PER_LANDMARKS)
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    return np.tile(corners, (17, 1)) + np.array([width, height]) / 2.0
