"""Data sets in other layouts than our own as sources: 300W-LP, shards, photos and the like."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
from jaxtyping import Float

from mlanet.datasets import Sample, open_dataset
from mlanet.datasets.layouts import layout_of
from mlanet.datasets.photos import MARGIN
from mlanet.datasets.w300lp import photo_name
from mlanet.errors import DataError
from mlanet.image import square_from_landmarks
from mlanet.image.crop import SQUARE_PER_LANDMARKS
from mlanet.morphable import MorphableModel
from mlanet.training.labels import FittedLabels, narrowed
from mlanet.training.photos import Photos
from mlanet.training.sample import JAW_WEIGHT_2D, Face


class DatasetSource:
    """Any data set of `mlanet.datasets`, told by its files' names.

    Samples without landmarks are taken for crops as `PhotoFolder` cuts them out; they serve as
    unlabelled ones only. Landmarks are taken without their depth.

    Args:
        path: of the data set.
        model: the face model of coefficients.
        labels: what `mlanet label` made of the data set; without it no coefficient is known.
        known: the blocks of these that are taken as known; empty for all.

    Raises:
        DataError: there is no such data set, it is one to evaluate with, or the labels are missing,
            malformed or of other pictures.
    """

    real, with_depth = True, False

    def __init__(
        self,
        path: Path,
        model: MorphableModel,
        labels: Path | None = None,
        known: Sequence[str] = (),
    ) -> None:
        layout = layout_of(path)
        if layout == "aflw2000":
            raise DataError(f"{path}: AFLW2000-3D is there to evaluate with, not to train on")
        self.name = path.name
        self._dataset = open_dataset(path)
        self._size = model.layout.size
        names = [str(name) for name in self._dataset.names]
        if layout in ("300w-lp", "3ddfa"):
            photos = [photo_name(name) for name in names]
            numbers = {photo: number for number, photo in enumerate(dict.fromkeys(photos))}
            rows = np.array([numbers[photo] for photo in photos])
            self.photos = Photos.of(self.name, photos, rows)
        else:
            self.photos = Photos.of_files(self.name, names)
        self.skipped = self._dataset.skipped
        self._labels: FittedLabels | None = None
        self._known = np.zeros(self._size, bool)
        if labels is not None:
            self._labels = FittedLabels.read(labels, names, self.name, model, every=False)
            self._known = self._labels.known
        self._known = narrowed(self._known, known, path, model)

    def __len__(self) -> int:
        return len(self._dataset)

    @property
    def knows(self) -> bool:
        """Whether any coefficient is known."""
        return bool(self._known.any())

    @property
    def fingerprint(self) -> str:
        """A hash of the samples' names and coefficients."""
        found = sha256("\n".join(str(name) for name in self._dataset.names).encode())
        if self._labels is not None:
            for values in (self._labels.coefficients, self._labels.boxes_px, self._labels.accepted):
                found.update(np.ascontiguousarray(values, np.float32).tobytes())
            found.update(self._known.tobytes())
        return found.hexdigest()

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
        labels = self._labels if self._labels and self._labels.accepted[index] else None
        square = (0.0, 0.0, float(max(sample.image.shape[:2])))
        return Face(
            image=sample.image,
            landmarks_px=np.pad(points, ((0, 0), (0, 1))),
            has_depth=False,
            box_px=box,
            coefficients=labels.coefficients[index] if labels else np.zeros(self._size, np.float32),
            known=self._known if labels else np.zeros(self._size, bool),
            square_px=labels.square_px(index) if labels else square,
            has_landmarks=sample.landmarks_px is not None,
            jaw_weight=1.0 if sample.jaw_on_surface else JAW_WEIGHT_2D,
        )


def square_of(sample: Sample) -> Float[np.ndarray, "68 2"]:
    """Points on the corners of a square whose crop is the middle of a picture without landmarks."""
    height, width = sample.image.shape[:2]
    half = min(height, width) / (2.0 * MARGIN * SQUARE_PER_LANDMARKS)
    corners = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    return np.tile(corners, (17, 1)) + np.array([width, height]) / 2.0
