"""Pose and pinhole camera, and how network outputs become them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from mlanet.coefficients import Array, RotationKind, array_namespace
from mlanet.geometry.rotation import euler_from_matrix, matrix_from_6d, matrix_from_euler

FOCAL_LENGTH_PER_CROP = 1015.0 / 224.0
"""Focal length of the crop's camera over the crop's side (Deng et al., 2019)."""

REFERENCE_DISTANCE_MM = 1000.0
"""Depth of the model's origin for a zero translation coefficient."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Rigid motion from model to camera: `x_camera = rotation @ x_model + translation` (mm)."""

    rotation: Float[Array, "*b 3 3"]
    translation: Float[Array, "*b 3"]

    def apply(self, points: Float[Array, "*b n 3"]) -> Float[Array, "*b n 3"]:
        """Points of the model frame (mm) in the camera frame (mm)."""
        xp = array_namespace(points, self.rotation)
        turned = xp.matmul(points, xp.matrix_transpose(self.rotation))
        return turned + self.translation[..., None, :]

    @property
    def euler_deg(self) -> Float[Array, "*b 3"]:
        """(pitch, yaw, roll) in degrees; signs in docs/reference/conventions.md."""
        return euler_from_matrix(self.rotation) * (180.0 / np.pi)


@dataclass(frozen=True, slots=True)
class Camera:
    """Pinhole without distortion. Lengths in pixels of the picture it belongs to."""

    focal_length_px: float
    principal_point_px: tuple[float, float]

    @classmethod
    def of_crop(cls, size: int) -> "Camera":
        """The fixed camera through which networks see a square crop of `size` pixels."""
        return cls(FOCAL_LENGTH_PER_CROP * size, (size / 2.0, size / 2.0))

    def before(self, crop_from_image: Float[np.ndarray, "2 3"]) -> "Camera":
        """This camera of a crop, expressed in pixels of the image it was cut from."""
        scale = float(crop_from_image[0, 0])
        shift = crop_from_image[:, 2]
        x, y = self.principal_point_px
        point = ((x - float(shift[0])) / scale, (y - float(shift[1])) / scale)
        return Camera(self.focal_length_px / scale, point)

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """Intrinsics K in pixels."""
        f, (x, y) = self.focal_length_px, self.principal_point_px
        return np.array([[f, 0.0, x], [0.0, f, y], [0.0, 0.0, 1.0]])

    def project(self, points: Float[Array, "*b n 3"]) -> Float[Array, "*b n 3"]:
        """Camera-frame points (mm) to x, y in pixels and depth in mm."""
        xp = array_namespace(points)
        depth = points[..., 2]
        # At the camera's centre there is no picture; its gradient shall not spoil the others'.
        divisor = xp.where(depth == 0, xp.ones_like(depth), depth)
        x = self.focal_length_px * points[..., 0] / divisor + self.principal_point_px[0]
        y = self.focal_length_px * points[..., 1] / divisor + self.principal_point_px[1]
        return xp.stack([x, y, depth], axis=-1)


def decode_pose(
    rotation: Float[Array, "*b r"], translation: Float[Array, "*b 3"], kind: RotationKind = "6d"
) -> Pose:
    """Pose in front of the crop's camera from a network's rotation and translation numbers.

    Translation is (where the model's origin appears, as an offset from the crop's centre in
    crop sides; minus the logarithm of its depth over 1 m): shift and size of the face in the
    crop are then independent of each other. It does not depend on the crop's size in pixels.
    """
    matrix = matrix_from_6d(rotation) if kind == "6d" else matrix_from_euler(rotation)
    return Pose(matrix, decode_translation(translation))


def decode_translation(translation: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """The place of the model's origin (mm, camera) from a network's translation numbers."""
    xp = array_namespace(translation)
    depth = REFERENCE_DISTANCE_MM * xp.exp(-translation[..., 2])
    x = translation[..., 0] / FOCAL_LENGTH_PER_CROP * depth
    y = translation[..., 1] / FOCAL_LENGTH_PER_CROP * depth
    return xp.stack([x, y, depth], axis=-1)


def encode_translation(place: Float[Array, "*b 3"]) -> Float[Array, "*b 3"]:
    """A network's translation numbers of a place (mm, camera): the inverse of `decode_translation`.

    The place must lie before the camera.
    """
    xp = array_namespace(place)
    depth = place[..., 2]
    x = place[..., 0] * FOCAL_LENGTH_PER_CROP / depth
    y = place[..., 1] * FOCAL_LENGTH_PER_CROP / depth
    return xp.stack([x, y, -xp.log(depth / REFERENCE_DISTANCE_MM)], axis=-1)


def landmarks_in_pixels(
    camera: Camera, pose: Pose, points: Float[Array, "*b n 3"]
) -> Float[Array, "*b n 3"]:
    """Model points (mm) as x, y in pixels and z in the same scale.

    z grows towards the viewer and is zero at the depth of the model's origin.
    """
    xp = array_namespace(points, pose.rotation)
    projected = camera.project(pose.apply(points))
    origin = pose.translation[..., None, 2]
    z = (origin - projected[..., 2]) * (camera.focal_length_px / origin)
    return xp.stack([projected[..., 0], projected[..., 1], z], axis=-1)
