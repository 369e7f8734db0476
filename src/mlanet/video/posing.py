"""Poses before a film's own camera, of a head whose shape is known."""

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Coefficients, RotationKind
from mlanet.geometry import Camera, Pose, decode_pose, matrix_from_vector
from mlanet.morphable import MorphableModel

STEPS = 8
"""Gauss-Newton steps; the last ones change a pose by less than a thousandth of a degree."""

DAMPING = 1e-6

CONTOUR, MOUTH = slice(0, 17), slice(48, 68)
CONTOUR_WEIGHT, MOUTH_WEIGHT = 0.2, 0.1
"""Of landmarks of the face's outline and the mouth beside all others: over rendered films, the
outline's are seen twice as far from the truth as those of eyes and nose, and the mouth moves by
itself."""


def poses_in_film(
    seen: Coefficients,
    rotation_kind: RotationKind,
    squares_px: Float[np.ndarray, "n 4"],
    identity: Float[np.ndarray, "i"],
    model: MorphableModel,
    camera: Camera,
) -> Pose:
    """Poses of one person's own shape where the network saw the landmarks of each frame.

    Args:
        seen: the network's answers.
        rotation_kind: of its rotations.
        squares_px: which the network saw (left, top, right, bottom).
        identity: the person's.
        model: the face model.
        camera: the film's.
    """
    side = squares_px[:, 2] - squares_px[:, 0]
    unit = Camera.of_crop(1)
    pose = decode_pose(seen.rotation, seen.translation, rotation_kind)

    def in_picture(points: Float[np.ndarray, "n k 3"]) -> Float[np.ndarray, "n k 2"]:
        return unit.project(points)[..., :2] * side[:, None, None] + squares_px[:, None, :2]

    points = model.landmarks(seen.identity, seen.expression)
    origin = in_picture(pose.translation[:, None])[:, 0]
    start = starting_poses(pose, unit.focal_length_px * side, origin, camera)
    own = landmarks_of(model, identity, seen.expression)
    return solve_poses(own, in_picture(pose.apply(points)), camera, start)


def landmarks_of(
    model: MorphableModel, identity: Float[np.ndarray, "i"], expression: Float[np.ndarray, "n e"]
) -> Float[np.ndarray, "n 68 3"]:
    """One person's landmarks in the model frame, mm."""
    same = np.broadcast_to(identity, (len(expression), len(identity)))
    return model.landmarks(same, expression).astype(np.float64)


def solve_poses(
    points: Float[np.ndarray, "n 68 3"],
    seen_px: Float[np.ndarray, "n 68 2"],
    camera: Camera,
    start: Pose,
) -> Pose:
    """The poses under which a head's landmarks lie nearest to where they were seen.

    Weighted least squares over pixels by Gauss-Newton, all frames at once.

    Args:
        points: landmarks in the model frame, mm, of each frame's expression.
        seen_px: in the picture.
        camera: the film's.
        start: near the answer (`starting_poses`).
    """
    rotation, translation = start.rotation, start.translation
    weight = np.ones(68)
    weight[CONTOUR], weight[MOUTH] = CONTOUR_WEIGHT, MOUTH_WEIGHT
    weight = np.repeat(weight, 2)
    for _ in range(STEPS):
        turned = points @ np.swapaxes(rotation, 1, 2)
        placed = turned + translation[:, None]
        depth = np.maximum(placed[..., 2], 1.0)
        projected = camera.project(placed)[..., :2]
        error = seen_px - projected
        scale = camera.focal_length_px / depth
        x, y = placed[..., 0] / depth, placed[..., 1] / depth
        zero = np.zeros_like(scale)
        # Change of the projection by the point's place, then by a turn before that.
        moving = np.stack(
            [
                np.stack([scale, zero, -scale * x], axis=-1),
                np.stack([zero, scale, -scale * y], axis=-1),
            ],
            axis=-2,
        )
        turning = -moving @ _cross(turned)
        jacobian = np.concatenate([turning, moving], axis=-1).reshape(len(points), -1, 6)
        transposed = np.swapaxes(jacobian, 1, 2) * weight
        normal = transposed @ jacobian
        normal += DAMPING * normal * np.eye(6)
        step = np.linalg.solve(normal, transposed @ error.reshape(len(points), -1, 1))[..., 0]
        rotation = matrix_from_vector(step[:, :3]) @ rotation
        translation = translation + step[:, 3:]
    return Pose(rotation, translation)


def starting_poses(
    pose: Pose, focal_px: Float[np.ndarray, "n"], origin_px: np.ndarray, camera: Camera
) -> Pose:
    """Poses before the crops' cameras, said of the film's camera.

    The crop's camera looks at the face; the film's looks past it, so that the head is turned by
    the angle between.

    Args:
        pose: of each frame before its crop's camera.
        focal_px: of these cameras, in pixels of the picture.
        origin_px: where the model's origin is seen in the picture (n, 2).
        camera: the film's.
    """
    depth = pose.translation[:, 2] * camera.focal_length_px / focal_px
    ray = (origin_px - camera.principal_point_px) / camera.focal_length_px
    translation = np.concatenate([ray, np.ones_like(ray[:, :1])], axis=1) * depth[:, None]
    across = np.stack([-ray[:, 1], ray[:, 0], 0.0 * ray[:, 0]], axis=1)
    length = np.linalg.norm(across, axis=1, keepdims=True)
    turn = across / np.maximum(length, 1e-12) * np.arctan(length)
    return Pose(matrix_from_vector(turn) @ pose.rotation, translation)


def _cross(vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3 3"]:
    """Matrices that multiply as the vector product from the left does."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    rows = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
