"""ARKit weights over time as CSV, in the layout of the app Live Link Face."""

import csv
import os
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from mlanet.files import atomic_path
from mlanet.geometry import euler_from_matrix, viewer_from_camera
from mlanet.morphable import eye_rotations
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


def write_live_link(path: str | os.PathLike[str], person: FilmedPerson) -> None:
    """Write a person's 52 weights and the rotations of head and eyes, a row for each frame.

    Raises:
        ValueError: the face model lacks one of ARKit's expressions.
        OSError: the file cannot be written.
    """
    names = list(person.model.expression_names)
    columns = [names.index(name) for name in WEIGHTS]
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        header = [name[0].upper() + name[1:] for name in WEIGHTS] + list(ANGLES)
        writer.writerow(["Timecode", "BlendShapeCount", *header])
        for start in range(0, len(person.frames), CHUNK):
            part = slice(start, start + CHUNK)
            weights = np.clip(person.motion.expression[part], 0.0, 1.0)
            rows = np.concatenate([weights[:, columns], angles_rad(person, part)], axis=1)
            for time_s, row in zip(person.motion.times_s[part], rows, strict=True):
                writer.writerow([timecode(float(time_s)), len(header), *_decimal(row)])


def angles_rad(person: FilmedPerson, part: slice) -> Float[np.ndarray, "n 9"]:
    """(yaw, pitch, roll) of head, left and right eye in some frames."""
    from scipy.spatial.transform import Rotation

    head = euler_from_matrix(person.motion.pose.rotation[part])
    turns = eye_rotations(person.model, np.clip(person.motion.expression[part], 0.0, 1.0))
    eyes = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix()
    looks = euler_from_matrix(viewer_from_camera(eyes)).reshape(len(turns), 2, 3)
    return np.concatenate([each[:, [1, 0, 2]] for each in (head, looks[:, 0], looks[:, 1])], axis=1)


def timecode(time_s: float) -> str:
    """`HH:MM:SS:FF.FFF`: hours, minutes, seconds, sixtieths of a second with their thousandths."""
    thousandths = round(time_s * TICKS_PER_S * 1000)
    ticks, fraction = divmod(thousandths, 1000)
    seconds, tick = divmod(ticks, TICKS_PER_S)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}:{tick:02d}.{fraction:03d}"


def _decimal(values: Iterable[float]) -> list[str]:
    return [f"{value:.6f}" for value in values]
