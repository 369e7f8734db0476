"""Pose and expression of a face whose shape is known better than from its photo alone."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Coefficients
from mlanet.fitting.views import CropView
from mlanet.geometry import decode_pose, matrix_from_vector, six_d_from_matrix
from mlanet.reconstruction import Reconstruction

STEPS = 4
"""Gauss-Newton steps."""

NUM_TURN, NUM_POSE = 3, 6

LANDMARK_NOISE = 0.02
"""Standard deviation of the landmarks that the face was seen with, over its size."""

EXPRESSION_SD, FREE_EXPRESSION_SD = 0.1, 0.3
"""Of expression coefficients about those seen: weights in [0, 1], or unit normal."""

LEAST_CONFIDENCE = 0.05


def with_shape(
    face: Reconstruction,
    identity: Float[np.ndarray, "i"],
    albedo: Float[np.ndarray, "a"],
    *,
    expression_sd: float | None = None,
) -> Reconstruction:
    """The face with another shape, posed and moved so that its landmarks stay where they were.

    Least squares over the 68 landmarks, each by its confidence if that is known; expressions stay
    near those seen.

    Args:
        face: as the network saw it.
        identity: coefficients instead of the face's.
        albedo: coefficients instead of the face's.
        expression_sd: how far expression coefficients may move; 0 leaves them as they are.
    """
    model, given = face.model, face.coefficients
    bounded, points, view = model.expression_bounded, model.landmarks, CropView(1.0)
    if expression_sd is None:
        expression_sd = EXPRESSION_SD if bounded else FREE_EXPRESSION_SD
    count = model.layout.expression if expression_sd else 0
    seen_pose = decode_pose(given.rotation, given.translation, face.rotation_kind)
    rotation = np.asarray(seen_pose.rotation, np.float64)
    place = np.append(given.translation.astype(np.float64), 0.0)
    before = points(given.identity, given.expression).astype(np.float64)
    target = view.project(rotation[None], place[None], before[None]).image[0, :, :2]
    size = float(np.sqrt(np.ptp(target, axis=0).prod()))
    sure = face.landmark_confidence
    trust = np.ones(len(target)) if sure is None else np.maximum(sure, LEAST_CONFIDENCE)
    root = np.sqrt(np.repeat(trust, 2)) / (LANDMARK_NOISE * size)
    prior = np.repeat([max(expression_sd, 1e-9) ** -2.0, 1e-6], [count, NUM_POSE])
    expression = given.expression.astype(np.float64)
    for _ in range(STEPS):
        now = points(identity, expression).astype(np.float64)
        seen = view.project(rotation[None], place[None], now[None])
        moving = seen.by_point[0, :, :2] @ points.expression[..., :count]
        rows = np.concatenate([moving, seen.by_pose[0, :, :2, :NUM_POSE]], axis=-1)
        rows = rows.reshape(2 * len(target), -1) * root[:, None]
        apart = root * (target - seen.image[0, :, :2]).reshape(-1)
        away = np.zeros(count + NUM_POSE)
        away[:count] = (expression - given.expression)[:count]
        change = np.linalg.solve(rows.T @ rows + np.diag(prior), rows.T @ apart - prior * away)
        expression[:count] += change[:count]
        if bounded and count:
            expression = expression.clip(0.0, 1.0)
        rotation = matrix_from_vector(change[count : count + NUM_TURN]) @ rotation
        place[:3] += change[count + NUM_TURN :]
    return replace(
        face,
        coefficients=Coefficients(
            identity=np.asarray(identity, np.float32),
            expression=expression.astype(np.float32),
            albedo=np.asarray(albedo, np.float32),
            rotation=six_d_from_matrix(rotation).astype(np.float32),
            translation=place[:3].astype(np.float32),
            lighting=given.lighting,
        ),
        rotation_kind="6d",
    )
