"""Which way heads look: a box around each and its axes, in a picture."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.image import blend, draw_polygon, draw_polylines
from mlanet.render.checks import NEAR_DEPTH_MM
from mlanet.render.heads import PosedHead, far_to_near
from mlanet.render.layers import canvas_of

AXIS_COLORS: dict[str, tuple[int, int, int]] = {
    "x": (214, 39, 40),
    "y": (44, 140, 44),
    "z": (31, 90, 180),
}
"""Of the model frame: x to the subject's left, y up, z out of the face."""

BOX_COLOR = (255, 193, 7)
FRONT_OPACITY = 0.2
HIDDEN_OPACITY = 0.45
AXIS_LENGTH = 0.45
"""Over the height of the box."""

STROKE = 1 / 200
"""Line width over the diagonal of the box in the picture."""

BOX_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
"""Which end of the x, y and z range each corner takes."""

BOX_SIDES: dict[str, tuple[int, int, int, int]] = {
    "right": (0, 1, 3, 2),
    "left": (4, 6, 7, 5),
    "bottom": (0, 4, 5, 1),
    "top": (2, 3, 7, 6),
    "back": (0, 2, 6, 4),
    "front": (1, 5, 7, 3),
}
"""Corners of each side, counter-clockwise seen from outside; left is the subject's."""


def head_box(head: PosedHead) -> Float[np.ndarray, "8 3"]:
    """Corners of the smallest box along the model's axes around a head, model frame, mm."""
    low, high = head.vertices.min(axis=0), head.vertices.max(axis=0)
    return low + BOX_CORNERS * (high - low)


def sides_towards_camera(corners_camera: Float[np.ndarray, "8 3"]) -> dict[str, bool]:
    """Which sides of a box (camera frame, mm) the camera looks at from outside."""
    found = {}
    for name, side in BOX_SIDES.items():
        a, b, c, _ = corners_camera[list(side)]
        found[name] = bool(np.cross(b - a, c - a) @ a < 0.0)
    return found


def draw_pose(
    image: UInt8[np.ndarray, "h w 3"], heads: Sequence[PosedHead]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with a box around each head and the model's axes, in the head's perspective.

    The front is filled and has thicker lines; edges on the far side are paler. The axes start in
    the middle of the front: x (to the subject's left) red, y (up) green, z (forwards) blue.
    A head that reaches behind the camera has no box.
    """
    canvas = canvas_of(image)
    for head in far_to_near(heads):
        model_corners = head_box(head)
        corners = head.pose.apply(model_corners)
        if corners[:, 2].min() > NEAR_DEPTH_MM:
            canvas = _draw_box(canvas, head, model_corners, sides_towards_camera(corners))
    return canvas


def _draw_box(
    image: UInt8[np.ndarray, "h w 3"],
    head: PosedHead,
    corners: Float[np.ndarray, "8 3"],
    towards: dict[str, bool],
) -> UInt8[np.ndarray, "h w 3"]:
    def in_picture(points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        return head.camera.project(head.pose.apply(points))[:, :2]

    corner = in_picture(corners)
    width = max(1.0, float(np.linalg.norm(np.ptp(corner, axis=0))) * STROKE)
    near_sides = [corner[list(BOX_SIDES[name])] for name, near in towards.items() if near]
    far_sides = [corner[list(BOX_SIDES[name])] for name, near in towards.items() if not near]
    front = corner[list(BOX_SIDES["front"])]

    pale = draw_polylines(image, far_sides, BOX_COLOR, closed=True, width_px=width)
    image = blend(image, pale, HIDDEN_OPACITY)
    image = blend(image, draw_polygon(image, front, BOX_COLOR), FRONT_OPACITY)
    image = draw_polylines(image, near_sides, BOX_COLOR, closed=True, width_px=width)
    if towards["front"]:
        image = draw_polylines(image, [front], BOX_COLOR, closed=True, width_px=2.0 * width)

    start = corners[list(BOX_SIDES["front"])].mean(axis=0)
    length = AXIS_LENGTH * float(corners[-1, 1] - corners[0, 1])
    ends = start + length * np.eye(3)
    depth = head.pose.apply(ends)[:, 2]
    colors = list(AXIS_COLORS.values())
    for axis in np.argsort(-depth):
        line = in_picture(np.stack([start, ends[axis]]))
        image = draw_polylines(image, [line], colors[axis], width_px=2.0 * width)
    return image
