"""How model points appear in a picture, and how that changes with pose and shape.

Both views describe a pose by a rotation (model to camera axes: x right, y down, z forward) and
four numbers, the *place*: x and y of the model's origin in the picture, the logarithm of the
size, and an offset of depth that labels of unknown depth origin need.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from jaxtyping import Float

from mlanet.geometry import FOCAL_LENGTH_PER_CROP, REFERENCE_DISTANCE_MM

NUM_POSE = 7
"""A turn (3) and a change of place (4)."""


class Projected(NamedTuple):
    """Model points in a picture, x, y and nearness in its unit, and their derivatives.

    `by_point` is with respect to the point in mm of the model frame, `by_pose` to a small turn
    about the camera's axes (rad, applied after the rotation) and the place.
    """

    image: Float[np.ndarray, "b n 3"]
    by_point: Float[np.ndarray, "b n 3 3"]
    by_pose: Float[np.ndarray, "b n 3 7"]


class View(Protocol):
    """What `fit_landmarks` needs to know of a camera."""

    @property
    def unit_px(self) -> float:
        """Pixels of the labels for one unit of the projected picture."""
        ...

    def place(
        self,
        scale: Float[np.ndarray, "b"],
        shift: Float[np.ndarray, "b 2"],
    ) -> Float[np.ndarray, "b 4"]:
        """The place that shows a millimetre `scale` long and the model's origin at `shift`."""
        ...

    def project(
        self,
        rotation: Float[np.ndarray, "b 3 3"],
        place: Float[np.ndarray, "b 4"],
        points: Float[np.ndarray, "b n 3"],
    ) -> Projected:
        """Where points (mm) appear, with derivatives."""
        ...


@dataclass(frozen=True, slots=True)
class OrthographicView:
    """Scaled orthographic: the unit is a pixel, the size is in pixels per millimetre."""

    @property
    def unit_px(self) -> float:
        """One pixel."""
        return 1.0

    def place(
        self, scale: Float[np.ndarray, "b"], shift: Float[np.ndarray, "b 2"]
    ) -> Float[np.ndarray, "b 4"]:
        """Origin in pixels, logarithm of pixels per millimetre, depth offset in pixels."""
        return np.column_stack([shift, np.log(scale), np.zeros_like(scale)])

    def project(
        self,
        rotation: Float[np.ndarray, "b 3 3"],
        place: Float[np.ndarray, "b 4"],
        points: Float[np.ndarray, "b n 3"],
    ) -> Projected:
        """Pixels, derivatives in pixels."""
        scale = np.exp(place[:, 2])
        turned = points @ rotation.transpose(0, 2, 1)
        axes = np.array([1.0, 1.0, -1.0]) * scale[:, None]  # nearness is minus the depth
        local = turned * axes[:, None]
        image = local + place[:, None, [0, 1, 3]]
        by_camera = np.zeros((*points.shape, 3))
        by_camera[..., range(3), range(3)] = axes[:, None]
        by_pose = np.zeros((*points.shape, NUM_POSE))
        by_pose[..., :3] = by_camera @ _by_turn(turned)
        by_pose[..., 0, 3] = by_pose[..., 1, 4] = by_pose[..., 2, 6] = 1.0
        by_pose[..., 5] = local
        return Projected(image, by_camera @ rotation[:, None], by_pose)


@dataclass(frozen=True, slots=True)
class CropView:
    """The crop's fixed pinhole (docs/reference/conventions.md): the unit is the crop's side.

    The first three numbers of a place are a network's translation (`geometry.decode_pose`).

    Attributes:
        size_px: side of the crop whose pixels the labels are in.
    """

    size_px: float

    @property
    def unit_px(self) -> float:
        """The crop's side."""
        return self.size_px

    def place(
        self, scale: Float[np.ndarray, "b"], shift: Float[np.ndarray, "b 2"]
    ) -> Float[np.ndarray, "b 4"]:
        """Origin as an offset from the middle, minus the logarithm of the depth in metres."""
        nearness = np.log(scale * REFERENCE_DISTANCE_MM / FOCAL_LENGTH_PER_CROP)
        return np.column_stack([shift - 0.5, nearness, np.zeros_like(scale)])

    def project(
        self,
        rotation: Float[np.ndarray, "b 3 3"],
        place: Float[np.ndarray, "b 4"],
        points: Float[np.ndarray, "b n 3"],
    ) -> Projected:
        """Crop sides, derivatives in crop sides; nearness as in `geometry.landmarks_in_pixels`."""
        focal, distance = FOCAL_LENGTH_PER_CROP, REFERENCE_DISTANCE_MM * np.exp(-place[:, 2])
        turned = points @ rotation.transpose(0, 2, 1)
        origin = np.column_stack([place[:, :2] / focal, np.ones(len(place))]) * distance[:, None]
        camera = turned + origin[:, None]
        per_depth = focal / camera[..., 2]
        xy = camera[..., :2] * per_depth[..., None]
        per_origin = (focal / distance)[:, None]
        near = -turned[..., 2] * per_origin
        image = np.concatenate([xy + 0.5, (near + place[:, 3:])[..., None]], axis=-1)
        by_camera = np.zeros((*points.shape, 3))
        by_camera[..., 0, 0] = by_camera[..., 1, 1] = per_depth
        by_camera[..., :2, 2] = -xy / camera[..., 2:]
        by_camera[..., 2, 2] = -per_origin
        by_pose = np.zeros((*points.shape, NUM_POSE))
        by_pose[..., :3] = by_camera @ _by_turn(turned)
        by_pose[..., 0, 3] = by_pose[..., 1, 4] = camera[..., 2] ** -1 * distance[:, None]
        # A larger size brings the origin nearer along its ray; nearness is scaled by it.
        by_pose[..., :2, 5] = -(by_camera[..., :2, :] @ origin[:, None, :, None])[..., 0]
        by_pose[..., 2, 5] = near
        by_pose[..., 2, 6] = 1.0
        return Projected(image, by_camera @ rotation[:, None], by_pose)


def _by_turn(turned: Float[np.ndarray, "b n 3"]) -> Float[np.ndarray, "b n 3 3"]:
    """Derivative of points by a small turn about the axes: column k is e_k × point."""
    x, y, z = turned[..., 0], turned[..., 1], turned[..., 2]
    result = np.zeros((*turned.shape, 3))
    result[..., 0, 1], result[..., 0, 2] = z, -y
    result[..., 1, 0], result[..., 1, 2] = -z, x
    result[..., 2, 0], result[..., 2, 1] = y, -x
    return result
