"""Batches of labelled crops whose order and changes depend on the seed and the step alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8

from mlanet.datasets import FaceCrops
from mlanet.errors import DataError
from mlanet.image import crop_square, square_from_landmarks, transform_points
from mlanet.training.augmentation import AugmentationConfig, random_crop
from mlanet.training.config import TrainingConfig

JAW_WEIGHT_2D = 0.2
"""Weight of the 17 jaw points of labels without depth: they follow the visible contour, while
the model's are fixed on the surface."""

FOLDERS = ("aflw_train", "ytf68")
"""Folders of labelled faces below the data's root that are used where they exist."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`b` crops and their labels.

    Attributes:
        images: uint8 RGB.
        landmarks_px: in crop pixels; z larger nearer the viewer, its origin arbitrary.
        size_px: sqrt(width · height) of the landmarks' bounding box.
        weight: of each landmark.
        has_depth: 1 where z is labelled.
    """

    images: UInt8[np.ndarray, "b s s 3"]
    landmarks_px: Float[np.ndarray, "b 68 3"]
    size_px: Float[np.ndarray, "b"]
    weight: Float[np.ndarray, "b 68"]
    has_depth: Float[np.ndarray, "b"]


class LabelledFaces:
    """All labelled faces below a data folder, split into training and held-out samples.

    Raises:
        DataError: none of `FOLDERS` exists, one is malformed, or training or held-out samples
            are lacking.
    """

    def __init__(self, root: Path, held_out: int) -> None:
        self.sources = [FaceCrops(root / name) for name in FOLDERS if (root / name).is_dir()]
        if not self.sources:
            raise DataError(f"{root}: holds none of {', '.join(FOLDERS)}")
        self.training: list[tuple[int, int]] = []
        self.held_out: list[tuple[int, int]] = []
        for source, faces in enumerate(self.sources):
            with_depth = faces.landmarks_px.shape[2] == 3
            for index in range(len(faces)):
                kept_out = with_depth and index % held_out == 0
                (self.held_out if kept_out else self.training).append((source, index))
        if not self.held_out:
            raise DataError(f"{root}: needs faces whose landmarks have depth ({FOLDERS[0]})")
        if not self.training:
            raise DataError(f"{root}: held_out={held_out} leaves no face to train with")

    def landmarks(self, source: int, index: int) -> Float[np.ndarray, "68 3"]:
        """Labels with a third column, zero where depth is not labelled."""
        points = self.sources[source].landmarks_px[index]
        return points if points.shape[1] == 3 else np.pad(points, ((0, 0), (0, 1)))

    def has_depth(self, source: int) -> bool:
        """Whether a source's labels have depth."""
        return self.sources[source].landmarks_px.shape[2] == 3

    def training_batch(self, step: int, size: int, config: TrainingConfig) -> Batch:
        """The batch of a step: a shuffled pass over all training samples after another."""
        count = len(self.training)
        picks = []
        for position in range(step * config.batch_size, (step + 1) * config.batch_size):
            epoch, place = divmod(position, count)
            picks.append((epoch, int(_order(config.seed, epoch, count)[place])))
        return self._batch(
            [self.training[pick] for _, pick in picks],
            size,
            config.augmentation,
            [np.random.default_rng([config.seed, epoch, pick]) for epoch, pick in picks],
        )

    def held_out_batch(self, start: int, count: int, size: int) -> Batch:
        """Held-out samples as the evaluation protocol crops them, without changes."""
        picks = self.held_out[start : start + count]
        return self._batch(picks, size, None, [None] * len(picks))

    def _batch(
        self,
        picks: Sequence[tuple[int, int]],
        size: int,
        augmentation: AugmentationConfig | None,
        rngs: Sequence[np.random.Generator | None],
    ) -> Batch:
        images, landmarks = [], []
        for (source, index), rng in zip(picks, rngs, strict=True):
            image = self.sources[source].decode(index)
            points = self.landmarks(source, index)
            if augmentation is None or rng is None:
                crop = crop_square(image, square_from_landmarks(points), size)
                xy = transform_points(crop.crop_from_image, points[:, :2])
                z = points[:, 2:] * crop.crop_from_image[0, 0]
                images.append(crop.image)
                landmarks.append(np.concatenate([xy, z], axis=1))
            else:
                changed, moved = random_crop(image, points, size, augmentation, rng)
                images.append(changed)
                landmarks.append(moved)
        points = np.stack(landmarks).astype(np.float32)
        extent = points[..., :2].max(axis=1) - points[..., :2].min(axis=1)
        depth = np.array([self.has_depth(source) for source, _ in picks], np.float32)
        weight = np.ones(points.shape[:2], np.float32)
        weight[:, :17] = np.where(depth[:, None] > 0, 1.0, JAW_WEIGHT_2D)
        return Batch(np.stack(images), points, np.sqrt(extent.prod(axis=1)), weight, depth)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> Int[np.ndarray, "n"]:
    """The shuffled order of an epoch."""
    return np.random.default_rng([seed, epoch, 2**31]).permutation(count)
