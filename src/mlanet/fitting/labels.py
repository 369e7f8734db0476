"""Coefficients of many labelled faces: fits, residuals, rejection."""

from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from mlanet.fitting.landmarks import FittingConfig, fit_landmarks
from mlanet.fitting.views import CropView
from mlanet.geometry import angle_between, are_rotations, matrix_from_6d, six_d_from_matrix
from mlanet.image import square_from_landmarks, transform_points
from mlanet.image.crop import square_transform
from mlanet.morphable import MorphableModel

LABEL_CROP_PX = 128
"""Side of the crops in whose camera faces are fitted; the answer does not depend on it."""

MAX_RESIDUAL_PERCENT = 1.5
"""Mean distance over sqrt(width · height), in per cent, beyond which a fit is rejected."""

CONTOUR_WEIGHT = 0.05
"""For `jaw_weight` where the jaw points of labels follow the visible contour (2D annotations):
on turned faces these are other points than the surface's."""

TYPICAL_ANGLES = 3.0
"""Rotations that differ by more than this many times the median angle do not count when the
constant rotation between two face models is estimated."""

ROUNDS = 5
"""How often that is repeated."""

_JAW = 17
"""The first of the 68 landmarks."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Coefficients of `n` faces in the crop's camera (docs/reference/conventions.md).

    Attributes:
        box_px: the square (left, top, right, bottom) of the picture that the camera sees.
        rotation: six numbers, model to camera; with `translation` as a network predicts them.
        residual_percent: mean x, y distance (weighted as in the fit) of the fitted points over
            sqrt(width · height) of the labels' box, times 100; infinite where there was nothing to
            fit or no answer. The coefficients and the box are zero there.
        accepted: residual within the limit.
    """

    box_px: Float[np.ndarray, "n 4"]
    identity: Float[np.ndarray, "n i"]
    expression: Float[np.ndarray, "n e"]
    rotation: Float[np.ndarray, "n 6"]
    translation: Float[np.ndarray, "n 3"]
    residual_percent: Float[np.ndarray, "n"]
    accepted: Bool[np.ndarray, "n"]

    @classmethod
    def concatenate(cls, parts: "list[Labels]") -> "Labels":
        """Faces of several parts, in order."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def config_for(model: MorphableModel) -> FittingConfig:
    """The prior that suits a model: blend shapes in [0, 1], or modes of unit deviation."""
    if model.expression_bounded:
        return FittingConfig()
    limit = FittingConfig().identity_limit
    return FittingConfig(expression_sd=1.0, expression_bounds=(-limit, limit))


def label_faces(
    model: MorphableModel,
    landmarks_px: Float[np.ndarray, "n 68 d"],
    config: FittingConfig | None = None,
    max_residual_percent: float = MAX_RESIDUAL_PERCENT,
    jaw_weight: float = 1.0,
) -> Labels:
    """Fit every face to its landmarks: x, y and, with three columns, nearness (pixels).

    Faces whose points are not finite or have no extent, or whose fit is not finite, are rejected,
    never fatal.
    Without `config` it is `config_for(model)`. The 17 jaw points count `jaw_weight` (0 to 1) in the
    fit and in the residual; the others count 1.

    Raises:
        ValueError: the weight is not in [0, 1].
    """
    if not 0.0 <= jaw_weight <= 1.0:
        raise ValueError(f"jaw_weight must be in [0, 1], got {jaw_weight}")
    labels = np.asarray(landmarks_px, dtype=np.float64)
    count, layout = len(labels), model.layout
    result = Labels(
        np.zeros((count, 4)),
        np.zeros((count, layout.identity), np.float32),
        np.zeros((count, layout.expression), np.float32),
        np.zeros((count, 6), np.float32),
        np.zeros((count, 3), np.float32),
        np.full(count, np.inf, np.float32),
        np.zeros(count, bool),
    )
    with np.errstate(all="ignore"):
        rows, boxes, in_crop = _in_crops(labels)
    if not len(rows):
        return result
    view = CropView(float(LABEL_CROP_PX))
    weight = np.where(np.arange(in_crop.shape[1]) < _JAW, jaw_weight, 1.0)
    weights = np.broadcast_to(weight, in_crop.shape[:2])
    with np.errstate(all="ignore"):
        fit = fit_landmarks(model.landmarks, view, in_crop, weights, config or config_for(model))
        distance = np.linalg.norm(fit.landmarks_px[..., :2] - in_crop[..., :2], axis=-1)
    apart = np.average(distance, axis=1, weights=weight)
    residual = 100.0 * apart / np.sqrt(np.ptp(in_crop[..., :2], axis=1).prod(axis=1))
    found = {
        "box_px": boxes,
        "identity": fit.identity,
        "expression": fit.expression,
        "rotation": six_d_from_matrix(fit.rotation),
        "translation": fit.place[:, :3],
        "residual_percent": residual,
        "accepted": residual <= max_residual_percent,
    }
    finite = np.stack(
        [np.isfinite(values.reshape(len(rows), -1)).all(1) for values in found.values()]
    )
    good = finite.all(axis=0)
    for name, values in found.items():
        getattr(result, name)[rows[good]] = values[good]
    return result


def with_given_rotation(labels: Labels, given: Float[np.ndarray, "n 3 3"]) -> Labels:
    """The labels with rotations that were known before, such as those of another face model's fit.

    What such rotations call frontal is not quite what this face model does: they are turned by the
    one constant rotation, in the heads' frame, that brings them nearest to the fitted ones. What
    camera they were measured with stays theirs: those of a camera without perspective, as 3DDFA's,
    differ from fitted ones by up to 3 degrees of yaw, depending on it. Faces whose rotation is none
    are rejected. `residual_percent` stays that of the fit.

    Args:
        labels: with fitted rotations.
        given: other head to camera (x right, y down, z away from the viewer).
    """
    accepted = labels.accepted & are_rotations(given)
    fitted = matrix_from_6d(labels.rotation.astype(np.float64))
    constant = constant_rotation(given[accepted], fitted[accepted])
    rotation = labels.rotation.copy()
    rotation[accepted] = six_d_from_matrix(given[accepted] @ constant)
    return replace(labels, rotation=rotation, accepted=accepted)


def constant_rotation(
    first: Float[np.ndarray, "n 3 3"], second: Float[np.ndarray, "n 3 3"]
) -> Float[np.ndarray, "3 3"]:
    """The rotation `C` for which `first @ C` is nearest to `second`, without outliers."""
    used = np.ones(len(first), bool)
    constant = np.eye(3)
    for _ in range(ROUNDS if len(first) else 0):
        u, _, v = np.linalg.svd((np.swapaxes(first[used], 1, 2) @ second[used]).mean(axis=0))
        constant = u @ np.diag([1.0, 1.0, np.linalg.det(u @ v)]) @ v
        angles = angle_between(first @ constant, second)
        used = angles <= TYPICAL_ANGLES * np.median(angles) + 1e-9
    return constant


def _in_crops(
    labels: Float[np.ndarray, "n 68 d"],
) -> tuple[Int[np.ndarray, "k"], Float[np.ndarray, "k 4"], Float[np.ndarray, "k 68 d"]]:
    """Which faces can be fitted, their boxes, and their points in the crops' pixels."""
    finite = np.isfinite(labels).all(axis=(1, 2))
    rows = np.flatnonzero(finite & (np.ptp(labels[..., :2], axis=1) > 0).all(axis=1))
    boxes = np.array([square_from_landmarks(labels[row]) for row in rows]).reshape(-1, 4)
    in_crop = labels[rows].copy()
    for k, box in enumerate(boxes):
        crop_from_image = square_transform(box, LABEL_CROP_PX)
        in_crop[k, :, :2] = transform_points(crop_from_image, in_crop[k, :, :2])
        in_crop[k, :, 2:] *= crop_from_image[0, 0]
    extent = np.ptp(in_crop[..., :2], axis=1).prod(axis=1)  # huge numbers lose theirs
    good = np.isfinite(in_crop).all(axis=(1, 2)) & np.isfinite(extent) & (extent > 0)
    return rows[good], boxes[good], in_crop[good]
