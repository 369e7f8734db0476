"""Where a head stands in a crop: framed as the crops that networks are trained on."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import Camera, decode_pose, decode_translation, landmarks_in_pixels
from mlanet.image import SQUARE_PER_LANDMARKS

STEPS = 6
"""Corrections of the translation; perspective makes each leave a few per cent of the error."""


def framed_translation(
    points: Float[np.ndarray, "68 3"],
    rotation: Float[np.ndarray, "3 3"],
    center: Float[np.ndarray, "2"],
    log_scale: float,
) -> Float[np.ndarray, "3"]:
    """The translation, as a network predicts it, that frames a head by its landmarks.

    The landmarks' bounding box then lies as `mlanet.image.square_from_landmarks` cuts it, but
    for an offset and a factor of size.

    Args:
        points: landmarks of the model frame, mm.
        rotation: model to camera.
        center: where the box's middle shall be, as an offset from the crop's in crop sides.
        log_scale: logarithm of the factor by which the face is larger than usual.
    """
    translation, turned = np.zeros(3), points @ rotation.T
    for _ in range(STEPS):
        seen = Camera.of_crop(1).project(turned + decode_translation(translation))[:, :2]
        low, high = seen.min(axis=0), seen.max(axis=0)
        factor = float(np.exp(log_scale)) / (SQUARE_PER_LANDMARKS * float((high - low).max()))
        middle = (low + high) / 2 - 0.5
        # Growing about the origin's image moves the box's middle, too.
        grown = translation[:2] + factor * (middle - translation[:2])
        translation = np.append(translation[:2] + center - grown, translation[2] + np.log(factor))
    return translation


def decoded_landmarks(
    points: Float[np.ndarray, "68 3"],
    rotation: Float[np.ndarray, "6"],
    translation: Float[np.ndarray, "3"],
    size: int,
) -> Float[np.ndarray, "68 3"]:
    """Landmarks in pixels of a crop of `size` pixels from a network's pose numbers."""
    return landmarks_in_pixels(Camera.of_crop(size), decode_pose(rotation, translation), points)
