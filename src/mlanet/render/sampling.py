"""Pictures read between their pixels."""

import math

import numpy as np
from jaxtyping import Float, Int, Shaped

from mlanet.coefficients import Array, array_namespace

MAX_SIDE = 32_000
"""OpenCV's remapping addresses pixels with 16 bits."""


def sample_image(
    image: Shaped[np.ndarray, "h w c"],
    positions_px: Float[np.ndarray, "n m 2"],
    pixels_per_sample: float = 1.0,
) -> Float[np.ndarray, "n m c"]:
    """Bilinear values, float32 in the image's own range; beyond the border its nearest pixel.

    Args:
        image: `uint8` or `float32`.
        positions_px: x and y; (0, 0) is the corner of the image.
        pixels_per_sample: distance of neighbouring samples. If they are farther apart than a
            pixel the image is averaged down first, so that fine detail does not alias.
    """
    import cv2

    height, width = image.shape[:2]
    reduction = max(pixels_per_sample, max(height, width) / MAX_SIDE)
    source = image
    if reduction > 1.25:
        size = (math.ceil(width / reduction), math.ceil(height / reduction))
        source = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    scale = np.array([source.shape[1] / width, source.shape[0] / height])
    x, y = np.moveaxis((positions_px * scale - 0.5).astype(np.float32), -1, 0)
    found = cv2.remap(
        source.astype(np.float32), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return found.reshape(*positions_px.shape[:2], image.shape[2])


def texels_from_uv(
    uv: Float[Array, "*b t 2"], texture_size: tuple[int, int]
) -> Float[Array, "*b t 2"]:
    """Positions, x right and y down, in texels of a texture of height and width `texture_size`."""
    height, width = texture_size
    u, v = uv[..., 0], uv[..., 1]
    return array_namespace(uv).stack([u * float(width), (1.0 - v) * float(height)], axis=-1)


def stretch(
    first: Float[np.ndarray, "v 2"],
    first_faces: Int[np.ndarray, "f 3"],
    second: Float[np.ndarray, "t 2"],
    second_faces: Int[np.ndarray, "f 3"],
) -> float:
    """How many units of length in the first plane one unit in the second covers.

    The median over the triangles that are counter-clockwise (y down) in both; 1 if none are.
    """
    area_first, area_second = signed_areas(first, first_faces), signed_areas(second, second_faces)
    good = (area_first > 0) & (area_second > 0)
    if not good.any():
        return 1.0
    return float(np.sqrt(np.median(area_first[good] / area_second[good])))


def signed_areas(points: Float[Array, "*b v 2"], faces: Int[Array, "f 3"]) -> Float[Array, "*b f"]:
    """Twice the areas of triangles in a plane; positive if counter-clockwise with y down."""
    xp = array_namespace(points)
    (ax, bx, cx), (ay, by, cy) = (
        [xp.take(points[..., axis], faces[:, k], axis=-1) for k in range(3)] for axis in range(2)
    )
    return (by - ay) * (cx - ax) - (bx - ax) * (cy - ay)
