"""ARKit weights over time as CSV, in the layout of the app Live Link Face."""

import csv
import os

import numpy as np
from jaxtyping import Float

from mlanet.files import atomic_path
from mlanet.geometry import euler_from_matrix, matrix_from_vector, viewer_from_camera
from mlanet.morphable import MorphableModel, eye_rotations
from mlanet.video.people import CHUNK, FilmedPerson

TICKS_PER_S = 60
"""Frames that a second of the timecode has, whatever the film's rate: the app's own."""

WEIGHTS = (
    "eyeBlinkLeft",
    "eyeLookDownLeft",
    "eyeLookInLeft",
    "eyeLookOutLeft",
    "eyeLookUpLeft",
    "eyeSquintLeft",
    "eyeWideLeft",
    "eyeBlinkRight",
    "eyeLookDownRight",
    "eyeLookInRight",
    "eyeLookOutRight",
    "eyeLookUpRight",
    "eyeSquintRight",
    "eyeWideRight",
    "jawForward",
    "jawRight",
    "jawLeft",
    "jawOpen",
    "mouthClose",
    "mouthFunnel",
    "mouthPucker",
    "mouthRight",
    "mouthLeft",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "noseSneerLeft",
    "noseSneerRight",
    "tongueOut",
)
"""The 52 in the order of the columns."""

ANGLES = tuple(
    f"{part}{angle}"
    for part in ("Head", "LeftEye", "RightEye")
    for angle in ("Yaw", "Pitch", "Roll")
)
"""In radians; signs of docs/reference/conventions.md, those of the eyes relative to the head."""


VALUES = WEIGHTS + ANGLES
"""What a frame has, in the order of the columns."""

HEADER = ("Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in VALUES))


def write_live_link(path: str | os.PathLike[str], person: FilmedPerson) -> None:
    """Write a person's 52 weights and the rotations of head and eyes, a row for each frame.

    Raises:
        ValueError: the face model lacks one of ARKit's expressions.
        OSError: the file cannot be written.
    """
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for start in range(0, len(person.frames), CHUNK):
            part = slice(start, start + CHUNK)
            motion = person.motion
            rows = live_link_values(
                person.model, motion.expression[part], motion.pose.rotation[part]
            )
            for time_s, row in zip(motion.times_s[part], rows, strict=True):
                writer.writerow(live_link_row(float(time_s), row))


def live_link_values(
    model: MorphableModel,
    expression: Float[np.ndarray, "n e"],
    rotation: Float[np.ndarray, "n 3 3"],
) -> Float[np.ndarray, "n 61"]:
    """`VALUES` of some frames: weights in [0, 1], and (yaw, pitch, roll) of head and eyes.

    Args:
        model: the face model.
        expression: weights.
        rotation: model to camera.

    Raises:
        ValueError: the face model lacks one of ARKit's expressions, or eyeballs.
    """
    names = list(model.expression_names)
    weights = np.clip(expression, 0.0, 1.0)
    head = euler_from_matrix(rotation)
    eyes = matrix_from_vector(eye_rotations(model, weights).reshape(-1, 3))
    looks = euler_from_matrix(viewer_from_camera(eyes)).reshape(len(weights), 2, 3)
    angles = [each[:, [1, 0, 2]] for each in (head, looks[:, 0], looks[:, 1])]
    return np.concatenate([weights[:, [names.index(name) for name in WEIGHTS]], *angles], axis=1)


def live_link_row(time_s: float, values: Float[np.ndarray, "61"]) -> list[str]:
    """A row of the file."""
    return [timecode(time_s), str(len(values)), *(f"{value:.6f}" for value in values)]


def timecode(time_s: float) -> str:
    """`HH:MM:SS:FF.FFF`: hours, minutes, seconds, sixtieths of a second with their thousandths."""
    thousandths = round(time_s * TICKS_PER_S * 1000)
    ticks, fraction = divmod(thousandths, 1000)
    seconds, tick = divmod(ticks, TICKS_PER_S)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}:{tick:02d}.{fraction:03d}"
