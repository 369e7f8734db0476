"""Axis-aligned boxes `(left, top, right, bottom)` in pixels."""

import numpy as np
from jaxtyping import Float


def bounding_box(points_px: Float[np.ndarray, "*b n d"]) -> Float[np.ndarray, "*b 4"]:
    """Smallest boxes around the x and y of point sets; further columns are ignored."""
    xy = points_px[..., :2]
    return np.concatenate([xy.min(axis=-2), xy.max(axis=-2)], axis=-1)


def box_iou(
    first_px: Float[np.ndarray, "n 4"], second_px: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Intersection over union of every pair of boxes, in [0, 1]; 0 where both are empty.

    The measure of PASCAL VOC (Everingham et al., "The PASCAL Visual Object Classes Challenge",
    IJCV 2010) for continuous coordinates: no pixel is added to widths and heights.
    """
    a, b = first_px[:, None], second_px[None]
    overlap = np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2])
    intersection = np.clip(overlap, 0.0, None).prod(axis=-1)
    union = _area(a) + _area(b) - intersection
    return np.divide(intersection, union, out=np.zeros_like(union), where=union > 0)


def _area(boxes: Float[np.ndarray, "*b 4"]) -> Float[np.ndarray, "*b"]:
    return np.clip(boxes[..., 2:] - boxes[..., :2], 0.0, None).prod(axis=-1)
