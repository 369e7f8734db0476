"""Pictures turned by right angles, and what a turned picture says of the picture as it was.

`numpy.rot90(picture, quarter_turns)` turns a picture anticlockwise about its middle.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import NUM_LIGHTING, Coefficients, RotationKind
from mlanet.geometry.rotation import (
    euler_from_matrix,
    matrix_from_6d,
    matrix_from_euler,
    six_d_from_matrix,
)

_NUM_HARMONICS = NUM_LIGHTING // 3


def turn_points_back(
    points_px: Float[np.ndarray, "*n 2"], size_px: tuple[int, int], quarter_turns: int
) -> Float[np.ndarray, "*n 2"]:
    """Points of `numpy.rot90(picture, quarter_turns)` in pixels of the picture itself.

    Args:
        points_px: x and y in the turned picture.
        size_px: height and width of the picture before it was turned.
        quarter_turns: any whole number.
    """
    height, width = size_px
    x, y = points_px[..., 0], points_px[..., 1]
    back = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))
    return np.stack(back[quarter_turns % 4], axis=-1)


def turn_coefficients_back(
    coefficients: Coefficients, kind: RotationKind, quarter_turns: int
) -> Coefficients:
    """What a network said of `numpy.rot90(crop, quarter_turns)`, said of the crop itself.

    The person stays the same: rotation, place and light turn about the camera's axis.

    Args:
        coefficients: of one face.
        kind: how its rotation is to be read.
        quarter_turns: any whole number.
    """
    for _ in range(quarter_turns % 4):
        coefficients = _quarter_back(coefficients, kind)
    return coefficients


def _quarter_back(coefficients: Coefficients, kind: RotationKind) -> Coefficients:
    """One quarter: the camera's x axis becomes its y, y becomes -x."""
    given, x, y = coefficients.rotation, *coefficients.translation[:2]
    matrix = matrix_from_6d(given) if kind == "6d" else matrix_from_euler(given)
    matrix = np.stack([-matrix[1], matrix[0], matrix[2]])
    rotation = six_d_from_matrix(matrix) if kind == "6d" else euler_from_matrix(matrix)
    # Harmonics 1, y, z, x, xy, yz, 3z²-1, xz, x²-y² of a viewer's axes: y becomes x, x becomes -y.
    light = coefficients.lighting.reshape(_NUM_HARMONICS, 3)[[0, 3, 2, 1, 4, 7, 6, 5, 8]]
    light = light * np.array([1, -1, 1, 1, -1, -1, 1, 1, -1], dtype=light.dtype)[:, None]
    return replace(
        coefficients,
        rotation=rotation.astype(given.dtype),
        translation=np.array([-y, x, coefficients.translation[2]], given.dtype),
        lighting=light.reshape(-1),
    )
