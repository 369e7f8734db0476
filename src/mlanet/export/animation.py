"""What an avatar does over time: tracks of weights, head and eyes in a glTF file."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from mlanet.export.gltf import GltfBuffer, in_metres
from mlanet.geometry import continuous, quaternion_from_matrix, quaternion_from_vector
from mlanet.morphable import MorphableModel, eye_rotations

EYE_JOINTS = ("LeftEye", "RightEye")


@dataclass(frozen=True, slots=True, eq=False)
class Animation:
    """Keys of `n` moments, between which players interpolate linearly.

    Attributes:
        times_s: increasing, from zero on.
        expression: weights, clipped to [0, 1] when written.
        rotation: of the head, from the model frame to a viewer's (x right, y up, z nearer).
        offset_mm: of the head from its usual place, in a viewer's frame.
    """

    times_s: Float[np.ndarray, "n"]
    expression: Float[np.ndarray, "n e"]
    rotation: Float[np.ndarray, "n 3 3"]
    offset_mm: Float[np.ndarray, "n 3"]

    def __post_init__(self) -> None:
        count = len(self.times_s)
        for name, shape in (("rotation", (count, 3, 3)), ("offset_mm", (count, 3))):
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} must be {shape}, got {getattr(self, name).shape}")
        if not count or self.expression.shape[:1] != (count,):
            raise ValueError(f"an animation needs as many weights as times, and some: {count}")
        if self.times_s[0] < 0.0 or (np.diff(self.times_s) <= 0.0).any():
            raise ValueError("the times of an animation must increase from zero on")


def add_animation(
    gltf: Any, buffer: GltfBuffer, animation: Animation, model: MorphableModel
) -> None:
    """Add the tracks to a file whose nodes and meshes are those of an avatar.

    Weights move all meshes but the eyeballs, which turn about their joints.

    Raises:
        ValueError: there are more or fewer weights than expressions.
    """
    from pygltflib import Animation as Tracks

    expression = np.clip(animation.expression, 0.0, 1.0).astype(np.float32)
    if expression.shape[1] != model.layout.expression:
        raise ValueError(f"{expression.shape[1]} weights of {model.layout.expression} expressions")
    tracks = Tracks(name="performance", channels=[], samplers=[])
    nodes = {node.name: index for index, node in enumerate(gltf.nodes)}
    root = gltf.scenes[0].nodes[0]
    times = buffer.add(animation.times_s.astype(np.float32), "times")

    weights = _sampler(tracks, times, buffer.add(expression.reshape(-1), "keys"))
    held = {child for joint in EYE_JOINTS for child in gltf.nodes[nodes[joint]].children}
    for index, node in enumerate(gltf.nodes):
        mesh = None if node.mesh is None else gltf.meshes[node.mesh]
        if mesh is not None and mesh.primitives[0].targets and index not in held:
            _channel(tracks, weights, index, "weights")
    turns = _quaternions(animation.rotation)
    _channel(tracks, _sampler(tracks, times, buffer.add(turns, "keys")), nodes["Head"], "rotation")
    moved = buffer.add(in_metres(animation.offset_mm), "keys")
    _channel(tracks, _sampler(tracks, times, moved), root, "translation")
    for eye, joint in enumerate(EYE_JOINTS):
        vectors = eye_rotations(model, expression)[:, eye]
        turned = buffer.add(_quaternions(vectors), "keys")
        _channel(tracks, _sampler(tracks, times, turned), nodes[joint], "rotation")
    gltf.animations.append(tracks)


def _sampler(tracks: Any, times: int, keys: int) -> int:
    from pygltflib import AnimationSampler

    tracks.samplers.append(AnimationSampler(input=times, output=keys, interpolation="LINEAR"))
    return len(tracks.samplers) - 1


def _channel(tracks: Any, sampler: int, node: int, path: str) -> None:
    from pygltflib import AnimationChannel, AnimationChannelTarget

    target = AnimationChannelTarget(node=node, path=path)
    tracks.channels.append(AnimationChannel(sampler=sampler, target=target))


def _quaternions(rotation: Float[np.ndarray, "n *k"]) -> Float[np.ndarray, "n 4"]:
    """Unit quaternions (x, y, z, w), each on the near side of the one before.

    Of rotation vectors or matrices.
    """
    read = quaternion_from_matrix if rotation.ndim == 3 else quaternion_from_vector
    return continuous(read(rotation.astype(np.float64))).astype(np.float32)
