"""What heads learn from: features of crops, and the coefficients and points that they show."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from mlanet.coefficients import NUM_LIGHTING, Coefficients
from mlanet.fitting.labels import Labels
from mlanet.morphable import MorphableModel
from mlanet.training.crop_coefficients import crop_coefficients
from mlanet.training.crops import CropChanges
from rebase_weights.views import Views

HELD_OUT_EVERY = 40
"""Rows of a set of which the first is kept out of the training, as in the network's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Crops with what a network should say of them.

    Attributes:
        features: the network's, pooled.
        vectors: coefficients by the face model's layout, in the crops' cameras.
        landmarks_px: in the crops.
        scored: whether the expressions rest on the teacher's scores.
        held_out: which are not trained on.
        size_px: side of the crops.
    """

    features: Float[np.ndarray, "m f"]
    vectors: Float[np.ndarray, "m n"]
    landmarks_px: Float[np.ndarray, "m 68 2"]
    scored: Bool[np.ndarray, "m"]
    held_out: Bool[np.ndarray, "m"]
    size_px: int

    @classmethod
    def concatenate(cls, parts: "list[Examples]") -> "Examples":
        """Examples of several sets with crops of one size."""
        arrays = [field.name for field in fields(cls) if field.name != "size_px"]
        joined = {name: np.concatenate([getattr(p, name) for p in parts]) for name in arrays}
        return cls(**joined, size_px=parts[0].size_px)


def examples_of(
    views: Views,
    rows: Int[np.ndarray, "n"],
    labels: Labels,
    landmarks_px: Float[np.ndarray, "n 68 2"],
    scored: Bool[np.ndarray, "n"],
    model: MorphableModel,
) -> Examples:
    """Every crop of every picture whose labels are accepted.

    Args:
        views: of the pictures.
        rows: their places in the set.
        labels: fits of the face model to `landmarks_px`, in the pictures.
        landmarks_px: of the pictures.
        scored: whose expressions rest on the teacher's scores.
        model: the face model.
    """
    used = np.flatnonzero(labels.accepted)
    count = views.features.shape[1]
    face = np.repeat(used, count)
    changes = [views.changes[picture] for picture in used.tolist()]
    size = changes[0].size
    left_top, right = labels.box_px[:, :2], labels.box_px[:, 2]
    squares = np.column_stack([left_top, right - left_top[:, 0]])
    vectors = crop_coefficients(
        _vectors(labels, model)[face],
        squares[face],
        np.concatenate([change.crop_from_image for change in changes]),
        np.concatenate([change.mirrored for change in changes]),
        size,
        model,
    )
    return Examples(
        features=views.features[used].reshape(len(face), -1).astype(np.float32),
        vectors=vectors.astype(np.float32),
        landmarks_px=np.concatenate(
            [_in_crops(landmarks_px[k], change) for k, change in zip(used, changes, strict=True)]
        ),
        scored=scored[face],
        held_out=rows[face] % HELD_OUT_EVERY == 0,
        size_px=size,
    )


def _vectors(labels: Labels, model: MorphableModel) -> Float[np.ndarray, "n k"]:
    """Coefficients in the cameras of the labels' squares; colours and light are zero."""
    count = len(labels.identity)
    albedo, light = np.zeros((count, model.layout.albedo)), np.zeros((count, NUM_LIGHTING))
    known = (labels.identity, labels.expression, albedo, labels.rotation, labels.translation)
    return model.layout.join(Coefficients(*known, light))


def _in_crops(
    points: Float[np.ndarray, "68 2"], changes: CropChanges
) -> Float[np.ndarray, "v 68 2"]:
    flat = torch.from_numpy(np.column_stack([points, np.zeros(len(points))]))
    count = len(changes.crop_from_image)
    return changes.landmarks(flat.expand(count, 68, 3))[..., :2].numpy()
