"""Errors of sparse alignment."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import bounding_box


def nme_2d_68(
    predicted_px: Float[np.ndarray, "n 68 2"], truth_px: Float[np.ndarray, "n 68 2"]
) -> Float[np.ndarray, "n"]:
    """Normalised mean error in percent of each face; pixels of the original image.

    Mean distance of the 68 points over `sqrt(w * h)`, where `w` and `h` are the sides of the
    *true* landmarks' bounding box, times 100. Source: Zhu et al., "Face Alignment in Full Pose
    Range: A 3D Total Solution", PAMI 2017. Figures normalised by the box's diagonal or by the
    distance of the eyes are other metrics.

    Raises:
        ValueError: as `landmark_errors_2d`.
    """
    return landmark_errors_2d(predicted_px, truth_px).mean(axis=-1)


def landmark_errors_2d(
    predicted_px: Float[np.ndarray, "n 68 2"], truth_px: Float[np.ndarray, "n 68 2"]
) -> Float[np.ndarray, "n 68"]:
    """Normalised error in percent of each landmark, whose mean is `nme_2d_68`.

    Raises:
        ValueError: the shapes are not (n, 68, 2), a number is not finite, or a face of the
            truth has an empty bounding box.
    """
    if predicted_px.shape != truth_px.shape or truth_px.shape[1:] != (68, 2):
        raise ValueError(f"expected (n, 68, 2) twice, got {predicted_px.shape}, {truth_px.shape}")
    if not (np.isfinite(predicted_px).all() and np.isfinite(truth_px).all()):
        raise ValueError("landmarks must be finite")
    box = bounding_box(truth_px.astype(np.float64))
    size = np.sqrt((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1]))
    if (size <= 0).any():
        raise ValueError(f"true landmarks {int(np.argmin(size))} have an empty bounding box")
    distance = np.linalg.norm(predicted_px.astype(np.float64) - truth_px, axis=-1)
    return 100.0 * distance / size[:, None]
