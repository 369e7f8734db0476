"""What the network that is carried over sees of pictures in several crops of each."""

from dataclasses import dataclass, replace

import numpy as np
import onnx
import onnxruntime
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
from mlanet.training.augmentation import AugmentationConfig, CropChange, random_change, random_look
from rebase_weights.graph import with_features
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
        vectors, features = self.session.run(None, {"crop": batch})
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

    changes: list[list[CropChange]]
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
    changes = [[change for change, _ in crops] for crops in cut]
    vectors, features = network(np.stack([crop for crops in cut for _, crop in crops]))
    every = [change for some in changes for change in some]
    points = [
        in_picture(own, change)
        for own, change in zip(network.landmarks_px(vectors), every, strict=True)
    ]
    shape = (len(places), len(changes[0]))
    first = network.model.layout.split(vectors.reshape(*shape, -1)[:, 0].astype(np.float64))
    return Views(
        changes,
        features.reshape(*shape, -1).astype(np.float16),
        np.median(np.reshape(points, (*shape, 68, 2)), axis=1),
        matrix_from_6d(first.rotation),
    )


def crops_of(
    image: UInt8[np.ndarray, "h w 3"],
    landmarks_px: Float[np.ndarray, "68 2"],
    size: int,
    rng: np.random.Generator,
) -> list[tuple[CropChange, UInt8[np.ndarray, "s s 3"]]]:
    """The protocol's crop, its mirror image, and `NUM_CHANGED` with random changes."""
    plain = random_change(landmarks_px, size, NOT_CHANGED, rng)
    crops = [(change, change.picture(image)) for change in (plain, replace(plain, mirrored=True))]
    for _ in range(NUM_CHANGED):
        change = random_change(landmarks_px, size, CHANGED, rng)
        crops.append((change, random_look(change.picture(image), CHANGED, rng)))
    return crops


def in_picture(
    landmarks_px: Float[np.ndarray, "68 2"], change: CropChange
) -> Float[np.ndarray, "68 2"]:
    """Points of a crop in the pixels of its picture: undoes `CropChange.landmarks`."""
    points = landmarks_px
    if change.mirrored:
        points = (points * [-1, 1] + [change.size, 0])[MIRRORED_LANDMARKS]
    return transform_points(invert_transform(change.crop_from_image), points)
