"""What the network that is carried over sees of pictures in several crops of each."""

from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime
import torch
from jaxtyping import Float, UInt8

from mlanet.geometry import (
    MIRRORED_LANDMARKS,
    Camera,
    decode_pose,
    landmarks_in_pixels,
    matrix_from_6d,
)
from mlanet.image import invert_transform, transform_points
from mlanet.morphable import MorphableModel
from mlanet.sessions import open_session
from mlanet.training import AugmentationConfig
from mlanet.training.appearance import random_appearance
from mlanet.training.crops import CropChanges, random_changes
from mlanet.training.dice import Dice
from rebase_weights.graph import FEATURES, with_features
from rebase_weights.pictures import Pictures

SEED = 1

NOT_CHANGED = AugmentationConfig(rotation_deg=0, turned=0, shift=0, log_scale=0, flip=0)

CHANGED = AugmentationConfig(
    rotation_deg=12.0,
    turned=0.06,
    shift=0.07,
    log_scale=0.1,
    flip=0.5,
    color=0.15,
    grey=0.03,
    blur=0.15,
    noise=0.1,
    occluder=0.1,
    cut=0.05,
)
NUM_CHANGED = 2
"""Crops of each face with random changes, beside the plain one and its mirror image."""

FACES_AT_ONCE = 8


@dataclass(frozen=True, slots=True, eq=False)
class FeatureNetwork:
    """A network that tells its pooled features, too.

    Attributes:
        session: gives coefficients and features of crops.
        model: whose coefficients.
        size: side of the crops in pixels.
    """

    session: onnxruntime.InferenceSession
    model: MorphableModel
    size: int

    @classmethod
    def of(cls, network: onnx.ModelProto, model: MorphableModel) -> "FeatureNetwork":
        """A network as `mlanet export` writes it, run on one thread."""
        session = open_session(with_features(network).SerializeToString(), threads=1)
        return cls(session, model, session.get_inputs()[0].shape[2])

    def __call__(
        self, crops: UInt8[np.ndarray, "b s s 3"]
    ) -> tuple[Float[np.ndarray, "b n"], Float[np.ndarray, "b f"]]:
        """Coefficient vectors and features."""
        batch = crops.transpose(0, 3, 1, 2).astype(np.float32) / 255
        vectors, features = self.session.run(["coefficients", FEATURES], {"crop": batch})
        return vectors, features.reshape(len(crops), -1)

    def landmarks_px(self, vectors: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b 68 2"]:
        """The 68 points of coefficients in pixels of the crops."""
        known = self.model.layout.split(vectors.astype(np.float64))
        points = self.model.landmarks(known.identity, known.expression)
        pose = decode_pose(known.rotation, known.translation)
        return landmarks_in_pixels(Camera.of_crop(self.size), pose, points)[..., :2]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What the network says of `v` crops of each of `n` pictures.

    Attributes:
        changes: how the crops were cut, by picture.
        features: of each crop.
        landmarks_px: the network's 68 points in the picture, medians over its crops.
        rotation: head to camera in the first crop, which is the plain one.
    """

    changes: list[CropChanges]
    features: Float[np.ndarray, "n v f"]
    landmarks_px: Float[np.ndarray, "n 68 2"]
    rotation: Float[np.ndarray, "n 3 3"]


def look_at(pictures: Pictures, network: FeatureNetwork) -> Views:
    """Run the network on all crops of all pictures; the same crops each time."""
    rng = np.random.default_rng(SEED)
    parts = [
        _look_at_some(places, pictures, network, rng)
        for places in (
            range(first, min(first + FACES_AT_ONCE, len(pictures)))
            for first in range(0, len(pictures), FACES_AT_ONCE)
        )
    ]
    return Views(
        [change for part in parts for change in part.changes],
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("features", "landmarks_px", "rotation")
        ),
    )


def _look_at_some(
    places: range, pictures: Pictures, network: FeatureNetwork, rng: np.random.Generator
) -> Views:
    cut = [
        crops_of(pictures.decode(place), pictures.landmarks_px[place], network.size, rng)
        for place in places
    ]
    changes = [change for change, _ in cut]
    vectors, features = network(np.concatenate([crops for _, crops in cut]))
    shape = (len(places), 2 + NUM_CHANGED)
    points = [
        in_picture(own, change)
        for own, change in zip(
            network.landmarks_px(vectors).reshape(*shape, 68, 2), changes, strict=True
        )
    ]
    first = network.model.layout.split(vectors.reshape(*shape, -1)[:, 0].astype(np.float64))
    return Views(
        changes,
        features.reshape(*shape, -1).astype(np.float16),
        np.median(points, axis=1),
        matrix_from_6d(first.rotation),
    )


def crops_of(
    image: UInt8[np.ndarray, "h w 3"],
    landmarks_px: Float[np.ndarray, "68 2"],
    size: int,
    rng: np.random.Generator,
) -> tuple[CropChanges, UInt8[np.ndarray, "v s s 3"]]:
    """The protocol's crop, its mirror image, and `NUM_CHANGED` with random changes."""
    points = torch.from_numpy(landmarks_px.astype(np.float64))[None]
    dice = Dice(rng.spawn(NUM_CHANGED))
    plain = random_changes(points, size, NOT_CHANGED, Dice([rng]))
    changed = random_changes(points.expand(NUM_CHANGED, 68, 2), size, CHANGED, dice)
    changes = CropChanges(
        torch.cat([plain.crop_from_image.expand(2, 2, 3), changed.crop_from_image]),
        size,
        torch.cat([torch.tensor([False, True]), changed.mirrored]),
        torch.cat([plain.reflect.expand(2), changed.reflect]),
    )
    extent = torch.tensor([image.shape[1::-1]]).expand(2 + NUM_CHANGED, 2)
    crops = changes.pictures(torch.from_numpy(image).expand(len(extent), *image.shape), extent)
    free = torch.ones(NUM_CHANGED, dtype=torch.bool)
    crops[2:] = random_appearance(crops[2:], free, CHANGED, dice)
    return changes, (crops * 255.0 + 0.5).byte().permute(0, 2, 3, 1).numpy()


def in_picture(
    landmarks_px: Float[np.ndarray, "v 68 2"], changes: CropChanges
) -> Float[np.ndarray, "v 68 2"]:
    """Points of crops in the pixels of their picture: undoes `CropChanges.landmarks`."""
    mirrored = changes.mirrored.numpy()[:, None, None]
    swapped = (landmarks_px * [-1, 1] + [changes.size, 0])[:, MIRRORED_LANDMARKS]
    points = np.where(mirrored, swapped, landmarks_px)
    return np.stack(
        [
            transform_points(invert_transform(matrix), own)
            for matrix, own in zip(changes.crop_from_image.numpy(), points, strict=True)
        ]
    )
