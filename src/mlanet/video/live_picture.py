"""What is shown of a live face: the picture with the head over it, or an avatar alone."""

from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8

from mlanet.geometry import Mesh, Pose
from mlanet.render import composite, draw_overlay, render_mesh
from mlanet.video.capture import LiveFace
from mlanet.video.people import middle_camera

Shown: TypeAlias = Literal["overlay", "avatar"]

AVATAR_SIZE = (480, 480)
AVATAR_PLACE_MM = (0.0, 10.0, 540.0)
BACKDROP = 64
"""Grey behind the avatar."""

BAR_PX = 26
"""Height of the line of text."""


def live_picture(
    image: UInt8[np.ndarray, "h w 3"], face: LiveFace | None, shown: Shown, text: str
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture, mirrored as in a mirror, with a line of text below.

    Args:
        image: RGB, as the camera gave it.
        face: what was seen in it.
        shown: the head over the picture, or an avatar instead of it.
        text: the line.
    """
    drawn = avatar(face) if shown == "avatar" else image
    if face is not None and shown == "overlay":
        drawn = draw_overlay(image, [face.head.build()])
    return _with_text(np.ascontiguousarray(drawn[:, ::-1]), text)


def avatar(face: LiveFace | None) -> UInt8[np.ndarray, "h w 3"]:
    """The head with its albedo before a camera that stands still, turned from the neutral pose."""
    backdrop = np.full((*AVATAR_SIZE, 3), BACKDROP, np.uint8)
    if face is None:
        return backdrop
    head = face.head
    mesh = Mesh(
        head.model.vertices(head.identity, face.expression),
        head.model.topology.faces,
        head.model.albedo(face.albedo) if head.model.has_albedo else None,
    )
    pose = Pose(face.rotation, np.array(AVATAR_PLACE_MM))
    drawn = render_mesh(
        mesh, pose, middle_camera(AVATAR_SIZE), AVATAR_SIZE, topology=head.model.topology
    )
    return composite(drawn, backdrop)


def _with_text(image: UInt8[np.ndarray, "h w 3"], text: str) -> UInt8[np.ndarray, "h w 3"]:
    import cv2

    height, width = image.shape[:2]
    canvas = np.zeros((height + BAR_PX, width, 3), np.uint8)
    canvas[:height] = image
    place = (8, height + BAR_PX - 8)
    font, white = cv2.FONT_HERSHEY_SIMPLEX, (235, 235, 235)
    cv2.putText(canvas, text, place, font, 0.48, white, 1, cv2.LINE_AA)
    return canvas
