"""ARKit weights as OSC messages of the Virtual Motion Capture protocol.

https://protocol.vmc.info/english (version 2.7). Rotations are Unity's: left-handed, x to the
subject's right, y up, z out of the face.
"""

import numpy as np
from jaxtyping import Float

from mlanet.geometry import quaternion_from_matrix, quaternion_from_vector, viewer_from_camera
from mlanet.morphable import MorphableModel, eye_rotations
from mlanet.video.capture import LiveFace

BONES = ("Head", "LeftEye", "RightEye")
"""Unity's names (HumanBodyBones)."""

MOST_BYTES = 1400
"""Of a packet: what networks carry in one piece."""

UNCALIBRATED, CALIBRATED = 0, 3


def vmc_packets(
    model: MorphableModel, face: LiveFace | None, time_s: float, *, calibrated: bool
) -> list[bytes]:
    """The packets of one frame: bones, weights, and whether anybody is seen.

    Bones are at (0, 0, 0): where they are is the avatar's affair. Weights have ARKit's names.

    Args:
        model: the face model.
        face: None where nobody is seen; then only that is told.
        time_s: since the sender began.
        calibrated: whether the neutral face is known.
    """
    state = CALIBRATED if calibrated else UNCALIBRATED
    told = [
        _message("/VMC/Ext/OK", 1, state, 0, int(face is not None)),
        _message("/VMC/Ext/T", float(time_s)),
    ]
    if face is None:
        return _bundles(told)
    turns = bone_rotations(model, face)
    bones = [
        _message("/VMC/Ext/Bone/Pos", name, 0.0, 0.0, 0.0, *map(float, turn))
        for name, turn in zip(BONES, turns, strict=True)
    ]
    weights = [
        _message("/VMC/Ext/Blend/Val", name, float(weight))
        for name, weight in zip(model.expression_names, face.expression, strict=True)
    ]
    return _bundles([*told, *bones, *weights, _message("/VMC/Ext/Blend/Apply")])


def bone_rotations(model: MorphableModel, face: LiveFace) -> Float[np.ndarray, "3 4"]:
    """Quaternions (x, y, z, w) of head and eyes in Unity's axes; of the eyes within the head."""
    head = quaternion_from_matrix(viewer_from_camera(face.rotation)[None])
    eyes = quaternion_from_vector(eye_rotations(model, face.expression[None])[0])
    # x points the other way in Unity: a mirrored turn keeps its part about x alone.
    return np.concatenate([head, eyes]) * [1.0, -1.0, -1.0, 1.0]


def _message(address: str, *values: str | int | float) -> bytes:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def _bundles(messages: list[bytes]) -> list[bytes]:
    """Messages in as few packets as are small enough, in order, to be heeded at once."""
    start = b"#bundle\0" + bytes(7) + b"\1"  # OSC 1.0: the time tag 1 means immediately
    packets = [start]
    for message in messages:
        sized = len(message).to_bytes(4, "big") + message
        if len(packets[-1]) + len(sized) > MOST_BYTES:
            packets.append(start)
        packets[-1] += sized
    return packets
