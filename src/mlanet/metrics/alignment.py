"""Errors of sparse and dense alignment in the image, and of shape alone."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import bounding_box, fit_similarity


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


def nme_dense(predicted_px: Float[np.ndarray, "v d"], truth_px: Float[np.ndarray, "v d"]) -> float:
    """Dense alignment error in percent over corresponding vertices, pixels; `d` is 2 or 3.

    Mean distance over `sqrt(w * h)` of the true vertices' bounding box (x, y), times 100. The
    mean of z is taken off both sides first, since a photo does not tell how far a face is away.
    Source: Feng et al., "Joint 3D Face Reconstruction and Dense Alignment with Position Map
    Regression Network", ECCV 2018; Ruan et al., "SADRNet", TIP 2021.

    Raises:
        ValueError: the shapes differ or are not (v, 2) or (v, 3), a number is not finite, or the
            box is empty.
    """
    predicted, truth = _checked(predicted_px, truth_px)
    box = bounding_box(truth[:, :2])
    size = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))
    if not size > 0:
        raise ValueError("the true vertices have an empty bounding box")
    difference = predicted - truth
    difference[:, 2:] -= difference[:, 2:].mean(axis=0)
    return 100.0 * float(np.linalg.norm(difference, axis=1).mean()) / size


def nme_reconstruction(
    predicted: Float[np.ndarray, "v 3"],
    truth: Float[np.ndarray, "v 3"],
    outer_eye_distance: float,
) -> float:
    """Shape error in percent over corresponding vertices, each side in a frame of its own.

    The prediction is brought onto the truth by the least-squares similarity; then the mean
    distance over the truth's distance of the outer corners of the eyes (landmarks 36 and 45, in
    3D), times 100. Source: Ruan et al., "SADRNet", TIP 2021.

    Raises:
        ValueError: the shapes differ, a number is not finite, or the distance is not positive.
    """
    source, target = _checked(predicted, truth)
    if source.shape[1] != 3 or not outer_eye_distance > 0:
        raise ValueError("expected points in 3D and a positive distance of the eyes")
    aligned = fit_similarity(source, target).apply(source)
    return 100.0 * float(np.linalg.norm(aligned - target, axis=1).mean()) / outer_eye_distance


def _checked(
    predicted: Float[np.ndarray, "v d"], truth: Float[np.ndarray, "v d"]
) -> tuple[Float[np.ndarray, "v d"], Float[np.ndarray, "v d"]]:
    if predicted.shape != truth.shape or truth.ndim != 2 or truth.shape[1] not in (2, 3):
        raise ValueError(f"expected (v, 2) or (v, 3) twice, got {predicted.shape}, {truth.shape}")
    if not (np.isfinite(predicted).all() and np.isfinite(truth).all()):
        raise ValueError("vertices must be finite")
    return predicted.astype(np.float64), truth.astype(np.float64)
