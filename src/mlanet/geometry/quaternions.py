"""Rotations as vectors (axis times angle in radians) and as unit quaternions (x, y, z, w)."""

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Array, array_namespace

_SMALL = 1e-3
"""Angles in radians below which series are more precise than quotients of sines."""


def quaternion_from_vector(vector: Float[Array, "*b 3"]) -> Float[Array, "*b 4"]:
    """Unit quaternions of rotation vectors; w is not negative up to half a turn."""
    xp = array_namespace(vector)
    squared = xp.sum(vector * vector, axis=-1, keepdims=True)
    small = squared < _SMALL**2
    angle = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    series = 0.5 - squared / 48.0 + squared * squared / 3840.0
    scale = xp.where(small, series, xp.sin(angle / 2.0) / angle)
    near = 1.0 - squared / 8.0 + squared * squared / 384.0
    return xp.concat([scale * vector, xp.where(small, near, xp.cos(angle / 2.0))], axis=-1)


def vector_from_quaternion(quaternion: Float[Array, "*b 4"]) -> Float[Array, "*b 3"]:
    """Rotation vectors, none longer than half a turn, of unit quaternions of either sign."""
    xp = array_namespace(quaternion)
    ahead = quaternion[..., 3:] < 0.0
    quaternion = xp.where(ahead, -quaternion, quaternion)
    imaginary, real = quaternion[..., :3], quaternion[..., 3:]
    squared = xp.sum(imaginary * imaginary, axis=-1, keepdims=True)
    small = squared < (0.5 * _SMALL) ** 2
    sine = xp.sqrt(xp.where(small, xp.ones_like(squared), squared))
    quotient = 2.0 * xp.atan2(sine, real) / sine
    return imaginary * xp.where(small, 2.0 + squared / 3.0 + 0.15 * squared * squared, quotient)


def matrix_from_quaternion(quaternion: Float[Array, "*b 4"]) -> Float[Array, "*b 3 3"]:
    """Rotation matrices of quaternions of any length but 0."""
    xp = array_namespace(quaternion)
    length = xp.sqrt(xp.sum(quaternion * quaternion, axis=-1, keepdims=True))
    quaternion = quaternion / length
    x, y, z, w = (quaternion[..., k] for k in range(4))
    rows = [
        [x * x - y * y - z * z + w * w, 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
        [2.0 * (x * y + z * w), y * y - x * x - z * z + w * w, 2.0 * (y * z - x * w)],
        [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), z * z - x * x - y * y + w * w],
    ]
    return xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)


def quaternion_from_matrix(rotation: Float[Array, "*b 3 3"]) -> Float[Array, "*b 4"]:
    """Unit quaternions of rotation matrices, the largest of whose numbers is positive.

    The matrix has the products of all pairs of the four numbers; the pairs of the largest number
    are precise whatever the rotation (Shepperd, "Quaternion from Rotation Matrix", 1978).
    """
    xp = array_namespace(rotation)
    (a, b, c), (d, e, f), (g, h, i) = (
        [rotation[..., row, column] for column in range(3)] for row in range(3)
    )
    rows = [
        [1.0 + a - e - i, b + d, c + g, h - f],
        [b + d, 1.0 - a + e - i, f + h, c - g],
        [c + g, f + h, 1.0 - a - e + i, d - b],
        [h - f, c - g, d - b, 1.0 + a + e + i],
    ]  # 4 q qᵀ
    best = xp.stack(rows[3], axis=-1)
    most = rows[3][3]
    for k in range(3):
        larger = rows[k][k] > most
        best = xp.where(larger[..., None], xp.stack(rows[k], axis=-1), best)
        most = xp.where(larger, rows[k][k], most)
    return best / xp.sqrt(xp.sum(best * best, axis=-1, keepdims=True))


def matrix_from_vector(vector: Float[Array, "*b 3"]) -> Float[Array, "*b 3 3"]:
    """Rotation matrices of rotation vectors."""
    return matrix_from_quaternion(quaternion_from_vector(vector))


def vector_from_matrix(rotation: Float[Array, "*b 3 3"]) -> Float[Array, "*b 3"]:
    """Rotation vectors, none longer than half a turn, of rotation matrices."""
    return vector_from_quaternion(quaternion_from_matrix(rotation))


def continuous(quaternions: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """The same rotations, each quaternion on the near side of the one before."""
    along = np.einsum("nk,nk->n", quaternions[1:], quaternions[:-1])
    sign = np.cumprod(np.where(along < 0.0, -1.0, 1.0))
    return np.concatenate([quaternions[:1], quaternions[1:] * sign[:, None]])


def mean_rotation(
    rotation: Float[np.ndarray, "n 3 3"], weights: Float[np.ndarray, "n"] | None = None
) -> Float[np.ndarray, "3 3"]:
    """The rotation from which the weighted squared chordal distances sum to the least.

    Markley et al., "Averaging Quaternions", Journal of Guidance, Control, and Dynamics 2007.
    """
    quaternions = quaternion_from_matrix(np.asarray(rotation, dtype=np.float64))
    weighted = quaternions if weights is None else quaternions * weights[:, None]
    return matrix_from_quaternion(np.linalg.eigh(weighted.T @ quaternions)[1][:, -1])


def between(
    start: Float[np.ndarray, "3 3"], end: Float[np.ndarray, "3 3"], share: float
) -> Float[np.ndarray, "3 3"]:
    """The rotation at a share in [0, 1] of the shortest way from `start` to `end`."""
    turn = vector_from_matrix(np.asarray(start.T @ end, dtype=np.float64))
    return start @ matrix_from_vector(share * turn)
