"""Coefficients of a picture that is turned, shifted, scaled or mirrored."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Coefficients
from mlanet.geometry import FOCAL_LENGTH_PER_CROP, matrix_from_6d, six_d_from_matrix
from mlanet.morphable import MorphableModel
from mlanet.training.augmentation import CropChange

ODD_IN_X = (3, 4, 7)
"""Harmonics that change their sign when left and right are swapped: x, xy, xz."""

MIRROR = np.array([-1.0, 1.0, 1.0])


def follow(
    vector: Float[np.ndarray, "n"],
    square_px: tuple[float, float, float],
    change: CropChange,
    model: MorphableModel,
) -> Float[np.ndarray, "n"]:
    """The coefficients that a network should predict for the changed crop.

    The rotation in the picture's plane and the mirror image are exact. A shift turns the head
    with the ray on which it is seen, and a scale moves it along that ray: the picture stays the
    same but for perspective, which changes by less than a label's error at the shifts and scales
    of `AugmentationConfig`. Albedo modes are taken to be symmetric.

    Args:
        vector: coefficients (6D rotation) in the camera of a square part of the picture.
        square_px: left, top and side of that part.
        change: of the picture.
        model: the face model; its layout orders the vector.
    """
    layout = model.layout
    known = layout.split(vector.astype(np.float64))
    left, top, side = square_px
    before = known.translation[:2]
    place = change.crop_from_image @ np.append(np.array([left, top]) + (0.5 + before) * side, 1.0)
    after = place / change.size - 0.5
    angle = change.turn_rad
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    rotation = _ray(after) @ turn @ _ray(before).T @ matrix_from_6d(known.rotation)
    zoom = np.log(change.scale * side / change.size)
    changed = replace(
        known,
        translation=np.append(after, known.translation[2] + zoom),
        lighting=turned_lighting(known.lighting, angle),
        rotation=six_d_from_matrix(rotation),
    )
    if change.mirrored:
        changed = mirrored(changed, model)
    return layout.join(changed).astype(np.float32)


def mirrored(known: Coefficients, model: MorphableModel) -> Coefficients:
    """Coefficients (6D rotation) of the mirror image."""
    rotation = matrix_from_6d(known.rotation) * np.outer(MIRROR, MIRROR)
    lighting = known.lighting.reshape(9, 3).copy()
    lighting[list(ODD_IN_X)] *= -1.0
    return replace(
        known,
        identity=known.identity * model.identity_mirror,
        expression=known.expression[model.expression_mirror],
        rotation=six_d_from_matrix(rotation),
        translation=known.translation * MIRROR,
        lighting=lighting.reshape(-1),
    )


def turned_lighting(lighting: Float[np.ndarray, "27"], angle_rad: float) -> Float[np.ndarray, "27"]:
    """Light (viewer's frame, y up) turned about the view, from the picture's x towards its y."""
    light = lighting.reshape(9, 3).copy()
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    c2, s2 = np.cos(2 * angle_rad), np.sin(2 * angle_rad)
    # The picture's y points down: in the viewer's frame the angle is negative.
    for x, y in ((3, 1), (7, 5)):
        light[x], light[y] = c * light[x] + s * light[y], c * light[y] - s * light[x]
    # x²-y² and 2xy turn by twice the angle; both harmonics have the same norm for these.
    light[8], light[4] = c2 * light[8] + s2 * light[4], c2 * light[4] - s2 * light[8]
    return light.reshape(-1)


def _ray(place: Float[np.ndarray, "2"]) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation from the camera's axis to the ray through a place in the crop."""
    toward = np.append(place / FOCAL_LENGTH_PER_CROP, 1.0)
    x, y, z = toward / np.linalg.norm(toward)
    cross = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
    return np.eye(3) + cross + cross @ cross / (1.0 + z)
