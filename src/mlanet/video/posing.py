"""Poses before a film's own camera, of a head whose shape is known."""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import Camera, Pose

STEPS = 8
"""Gauss-Newton steps; the last ones change a pose by less than a thousandth of a degree."""

DAMPING = 1e-6


def solve_poses(
    points: Float[np.ndarray, "n 68 3"],
    seen_px: Float[np.ndarray, "n 68 2"],
    camera: Camera,
    start: Pose,
) -> Pose:
    """The poses under which a head's landmarks lie nearest to where they were seen.

    Least squares over pixels by Gauss-Newton, all frames at once.

    Args:
        points: landmarks in the model frame, mm, of each frame's expression.
        seen_px: in the picture.
        camera: the film's.
        start: near the answer (`starting_poses`).
    """
    rotation, translation = start.rotation, start.translation
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
        transposed = np.swapaxes(jacobian, 1, 2)
        normal = transposed @ jacobian
        normal += DAMPING * normal * np.eye(6)
        step = np.linalg.solve(normal, transposed @ error.reshape(len(points), -1, 1))[..., 0]
        rotation = _turn(step[:, :3]) @ rotation
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
    return Pose(_turn(turn) @ pose.rotation, translation)


def _cross(vectors: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3 3"]:
    """Matrices that multiply as the vector product from the left does."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    rows = ((zero, -z, y), (z, zero, -x), (-y, x, zero))
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _turn(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3 3"]:
    from scipy.spatial.transform import Rotation

    return Rotation.from_rotvec(vectors).as_matrix()
