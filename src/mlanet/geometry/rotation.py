"""Rotations: six numbers, Euler angles and matrices, over the array API."""

import numpy as np
from jaxtyping import Bool, Float

from mlanet.coefficients import Array, array_namespace

FRONTAL_6D = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
"""First two columns of `diag(1, -1, -1)`: the rotation of a person who faces the camera."""


def matrix_from_6d(numbers: Float[Array, "*b 6"]) -> Float[Array, "*b 3 3"]:
    """Rotation matrices whose first two columns are the orthonormalised halves.

    Halves that are parallel or shorter than about 1e-4 have no direction: the result is then
    finite, but no rotation.

    Zhou et al., "On the Continuity of Rotation Representations in Neural Networks", CVPR 2019.
    """
    xp = array_namespace(numbers)
    first, second = numbers[..., :3], numbers[..., 3:]
    x = _unit(first)
    y = _unit(second - xp.sum(x * second, axis=-1, keepdims=True) * x)
    next_x, next_y = (xp.concat([axis[..., 1:], axis[..., :1]], axis=-1) for axis in (x, y))
    product = x * next_y - next_x * y  # z, x, y of the cross product
    z = xp.concat([product[..., 1:], product[..., :1]], axis=-1)
    return xp.stack([x, y, z], axis=-1)


def six_d_from_matrix(rotation: Float[Array, "*b 3 3"]) -> Float[Array, "*b 6"]:
    """The first two columns of a rotation matrix, the inverse of `matrix_from_6d`."""
    xp = array_namespace(rotation)
    return xp.concat([rotation[..., :, 0], rotation[..., :, 1]], axis=-1)


def matrix_from_euler(angles_rad: Float[Array, "*b 3"]) -> Float[Array, "*b 3 3"]:
    """Model-to-camera rotation from (pitch, yaw, roll) in radians.

    Convention: 300W-LP and AFLW2000-3D (see docs/reference/conventions.md); the inverse of
    `euler_from_matrix`.
    """
    xp = array_namespace(angles_rad)
    c, s = xp.cos(angles_rad), xp.sin(angles_rad)
    cx, cy, cz = c[..., 0], c[..., 1], c[..., 2]
    sx, sy, sz = s[..., 0], s[..., 1], s[..., 2]
    # V = Rx · Ry · Rz in the viewer's frame; the camera's y and z point the other way.
    rows = [
        [cy * cz, cy * sz, -sy],
        [sx * sy * cz - cx * sz, sx * sy * sz + cx * cz, sx * cy],
        [cx * sy * cz + sx * sz, cx * sy * sz - sx * cz, cx * cy],
    ]
    viewer = xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)
    return viewer_from_camera(viewer)


def euler_from_matrix(rotation: Float[Array, "*b 3 3"]) -> Float[Array, "*b 3"]:
    """(pitch, yaw, roll) in radians of a model-to-camera rotation."""
    xp = array_namespace(rotation)
    viewer = viewer_from_camera(rotation)
    yaw = xp.asin(xp.clip(-viewer[..., 0, 2], -1.0, 1.0))
    pitch = xp.atan2(viewer[..., 1, 2], viewer[..., 2, 2])
    roll = xp.atan2(viewer[..., 0, 1], viewer[..., 0, 0])
    return xp.stack([pitch, yaw, roll], axis=-1)


def viewer_from_camera(rotation: Float[Array, "*b 3 n"]) -> Float[Array, "*b 3 n"]:
    """Turn rows from the camera's axes to a viewer's (x right, y up, z nearer), or back."""
    xp = array_namespace(rotation)
    return xp.concat([rotation[..., :1, :], -rotation[..., 1:, :]], axis=-2)


def are_rotations(matrices: Float[np.ndarray, "n 3 3"]) -> Bool[np.ndarray, "n"]:
    """Which matrices are rotations, to the precision of labels in half precision."""
    values = np.nan_to_num(matrices.astype(np.float32))
    error = np.abs(values @ values.transpose(0, 2, 1) - np.eye(3, dtype=np.float32))
    return (error.max(axis=(1, 2)) <= 1e-3) & (np.linalg.det(values) > 0.0)


def angle_between(
    first: Float[Array, "*b 3 3"], second: Float[Array, "*b 3 3"]
) -> Float[Array, "*b"]:
    """Geodesic angle in radians, in [0, π], between rotations.

    From the half angle's sine and cosine, which is precise for small and for large angles
    (the arc cosine of the trace loses half of the digits near zero).
    """
    xp = array_namespace(first, second)
    difference = first - second
    sine = xp.sqrt(xp.sum(difference * difference, axis=(-2, -1)) / 8.0)
    trace = xp.sum(first * second, axis=(-2, -1))
    cosine = xp.sqrt(xp.clip((trace + 1.0) / 4.0, 0.0, 1.0))
    return 2.0 * xp.atan2(sine, cosine)


def _unit(vector: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    xp = array_namespace(vector)
    return vector / xp.sqrt(xp.sum(vector * vector, axis=-1, keepdims=True) + 1e-12)
