"""A network's answers on several crops of each face, brought back into the picture."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import DataError
from mlanet.geometry import (
    MIRRORED_LANDMARKS,
    Camera,
    decode_pose,
    landmarks_in_pixels,
    matrix_from_6d,
)
from mlanet.image import square_from_landmarks, transform_points
from mlanet.image.crop import invert_transform, resample
from mlanet.morphable import MorphableModel, load_model
from mlanet.network.runtime import CoefficientRegressor

SEED = 1

NUM_CHANGED = 2
"""Crops with random changes, beside the protocol's crop and its mirror image."""

TURN_SD_DEG, MOST_SHIFT, LOG_SCALE_SD = 12.0, 0.07, 0.1
"""Changes: the turn, the shift in sides of the crop, and the logarithm of the scale."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceNetwork:
    """A network and the face model whose coefficients it regresses."""

    regressor: CoefficientRegressor
    model: MorphableModel

    @classmethod
    def load(cls, path: Path | None, fitted: MorphableModel) -> "FaceNetwork":
        """The shipped network, or one of the user's, with the fitted face model or the embedded.

        Raises:
            AssetError: the file is no network that `mlanet export` wrote.
            DataError: it drives neither of these face models.
        """
        regressor = CoefficientRegressor.load(path)
        for model in (fitted, load_model()):
            if model.name == regressor.face_model:
                return cls(regressor, model)
        raise DataError(
            f"{path or 'the shipped network'}: drives the face model {regressor.face_model},"
            f" not {fitted.name}"
        )

    @property
    def size(self) -> int:
        """Side of its crops in pixels."""
        return self.regressor.config.input_size

    def answer(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        around_px: Float[np.ndarray, "68 2"],
        rng: np.random.Generator,
    ) -> "Answer":
        """What it says of a face, from the crops around these points."""
        cuts = crop_changes(around_px, self.size, rng)
        vectors = self.regressor(np.stack([cut.crop(image, self.size) for cut in cuts]))
        known = self.model.layout.split(vectors.astype(np.float64))
        points = landmarks_in_pixels(
            Camera.of_crop(self.size),
            decode_pose(known.rotation, known.translation),
            self.model.landmarks(known.identity, known.expression),
        )[..., :2]
        seen = [cut.in_picture(own, self.size) for cut, own in zip(cuts, points, strict=True)]
        return Answer(np.median(seen, axis=0), matrix_from_6d(known.rotation[0]))


class Answer(NamedTuple):
    """The 68 points in the picture, medians over crops; head to camera in the protocol's crop."""

    landmarks_px: Float[np.ndarray, "68 2"]
    rotation: Float[np.ndarray, "3 3"]


class CropChange(NamedTuple):
    """How a crop is cut from a picture, before it is mirrored or not."""

    crop_from_image: Float[np.ndarray, "2 3"]
    mirrored: bool

    def crop(self, image: UInt8[np.ndarray, "h w 3"], size: int) -> UInt8[np.ndarray, "s s 3"]:
        """The crop of `size` pixels."""
        cut = resample(image, self.crop_from_image, size)
        return cut[:, ::-1] if self.mirrored else cut

    def in_picture(self, points: Float[np.ndarray, "68 2"], size: int) -> Float[np.ndarray, "68 2"]:
        """Landmarks of the crop in pixels of the picture."""
        if self.mirrored:
            points = (points * [-1, 1] + [size, 0])[MIRRORED_LANDMARKS]
        return transform_points(invert_transform(self.crop_from_image), points)


def crop_changes(
    landmarks_px: Float[np.ndarray, "68 2"], size: int, rng: np.random.Generator
) -> list[CropChange]:
    """The protocol's crop, its mirror image, and `NUM_CHANGED` others, every second mirrored."""
    plain = _crop_from_image(landmarks_px, size, 0.0, np.zeros(2), 0.0)
    changed = [
        CropChange(
            _crop_from_image(
                landmarks_px,
                size,
                np.radians(TURN_SD_DEG) * rng.normal(),
                rng.uniform(-MOST_SHIFT, MOST_SHIFT, 2),
                LOG_SCALE_SD * rng.normal(),
            ),
            number % 2 == 1,
        )
        for number in range(NUM_CHANGED)
    ]
    return [CropChange(plain, False), CropChange(plain, True), *changed]


def _crop_from_image(
    landmarks_px: Float[np.ndarray, "68 2"],
    size: int,
    angle_rad: float,
    shift: Float[np.ndarray, "2"],
    log_scale: float,
) -> Float[np.ndarray, "2 3"]:
    """Of the square that the protocol has in the turned picture, shifted and scaled."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    turn = np.array([[c, -s], [s, c]])
    box = square_from_landmarks(landmarks_px.astype(np.float64) @ turn.T)
    side = box[2] - box[0]
    center = (box[:2] + box[2:]) / 2 + shift * side
    scale = size / (side * np.exp(log_scale))
    return np.column_stack([scale * turn, size / 2 - scale * center])
