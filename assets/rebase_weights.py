"""Carry the shipped network over to another version of the face model, without training.

    python assets/rebase_weights.py --before OLD_open_face.npz --network OLD.onnx --version 0.1.2

Identity and albedo heads are linear, so an affine change of coefficients folds into their
weights and biases. Identity becomes what the new model's prior makes of the network's 68 landmarks;
colours are regressed. The new model is thought to lie in the old one's frame but for its size,
which goes into the depth. Writes `mobile.onnx` and registers it; rotation, expression and light
stay as they are.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from register import DATA, register

from mlanet.assets import asset_records
from mlanet.files import atomic_path
from mlanet.geometry import MeshTopology, SurfaceIndex, fit_similarity
from mlanet.morphable import MorphableModel
from mlanet.morphable.model import NUM_LANDMARKS
from mlanet.network.runtime import METADATA_KEY

SIDE_NOISE_MM, DEPTH_NOISE_MM = 0.6, 3.0
"""Of the network's landmarks across and along the line of sight, for people seen from the front: a
network knows little of depth."""

JAW, JAW_WEIGHT = slice(0, 17), 0.5
"""Of the jaw's landmarks beside the others."""

RIDGE_COLOUR = 0.01


@dataclass(frozen=True)
class Affine:
    """`new = matrix @ old + offset`."""

    matrix: np.ndarray
    offset: np.ndarray


def main() -> None:
    """Fold, write, register."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--network", type=Path, required=True)
    parser.add_argument("--version", required=True)
    arguments = parser.parse_args()
    before, after = MorphableModel.load(arguments.before), MorphableModel.load()
    if set(before.expression_names) != set(after.expression_names):
        raise SystemExit("the face models have other expressions")
    network = onnx.load(arguments.network)
    (metadata,) = (p for p in network.metadata_props if p.key == METADATA_KEY)
    described = json.loads(metadata.value)
    if described["face_model"] != before.name:
        raise SystemExit(f"{arguments.network}: drives another face model than {before.name}")
    described["face_model"] = after.name
    described["network"]["layout"] |= {
        "identity": after.layout.identity,
        "albedo": after.layout.albedo,
    }
    metadata.value = json.dumps(described)
    scale = size_change(before, after)
    order = [before.expression_names.index(name) for name in after.expression_names]
    fold(network, "heads.identity", identity_change(before, after, scale))
    fold(network, "heads.expression", Affine(np.eye(len(order))[order], np.zeros(len(order))))
    # A face that is larger in millimetres is farther away.
    fold(network, "heads.depth", Affine(np.eye(1), np.array([np.log(scale)])))
    fold(network, "heads.albedo", albedo_change(before, after))
    (output,) = network.graph.output
    output.type.tensor_type.shape.dim[1].dim_value = after.layout.size
    onnx.checker.check_model(network, full_check=True)
    with atomic_path(DATA / "mobile.onnx") as temporary:
        temporary.write_bytes(network.SerializeToString(deterministic=True))
    record = asset_records()["mobile"]
    register(
        "mobile",
        "mobile.onnx",
        version=arguments.version,
        licence=record.licence,
        source=f"{record.source.split('; carried')[0]}; carried over to version "
        f"{asset_records()['open_face'].version} of the face model (assets/rebase_weights.py)",
        script=record.script,
    )


def identity_change(before: MorphableModel, after: MorphableModel, scale: float) -> Affine:
    """The likeliest identity of the new model for landmarks that the old model gives.

    The posterior mean under the new model's prior: shape that 68 landmarks do not show is its
    mean, not what the old model made of it.

    Args:
        before: the old model.
        after: the new model.
        scale: old millimetres for one of the new model.
    """
    old, new = before.landmarks, after.landmarks
    weight = np.tile([1 / SIDE_NOISE_MM, 1 / SIDE_NOISE_MM, 1 / DEPTH_NOISE_MM], (NUM_LANDMARKS, 1))
    weight[JAW] *= JAW_WEIGHT**0.5
    flat = lambda basis: (weight[..., None] * basis).reshape(-1, basis.shape[-1]).astype(np.float64)  # noqa: E731
    basis = flat(new.identity)
    targets = np.concatenate(
        [flat(old.identity) / scale, flat((old.mean / scale - new.mean)[..., None])], axis=1
    )
    normal = basis.T @ basis + np.eye(basis.shape[1])
    found = np.linalg.solve(normal, basis.T @ targets)
    left = (targets[:, -1] - basis @ found[:, -1]).reshape(-1, 3) / weight
    print(f"landmarks of the means are {np.linalg.norm(left, axis=1).mean():.2f} mm apart")
    return Affine(found[:, :-1], found[:, -1])


def size_change(before: MorphableModel, after: MorphableModel) -> float:
    """Old millimetres for one of the new model: by how much its mean face is larger."""
    inner = slice(JAW.stop, None)
    motion = fit_similarity(
        after.landmarks.mean[inner].astype(float), before.landmarks.mean[inner].astype(float)
    )
    return motion.scale


def albedo_change(before: MorphableModel, after: MorphableModel) -> Affine:
    """The albedo of the new model that is nearest to one of the old model, on the skin.

    Meshes may differ: colours are compared where the old mesh, its mean face laid onto the new
    one by their landmarks, is nearest.
    """
    inner = slice(JAW.stop, None)
    motion = fit_similarity(
        before.landmarks.mean[inner].astype(float), after.landmarks.mean[inner].astype(float)
    )
    topology = MeshTopology(before.base_faces, before.num_base_vertices)
    found = SurfaceIndex(motion.apply(before.shape.mean), topology).query(after.shape.mean)
    corners, share = before.base_faces[found.face_index], found.barycentric

    def carried(values: np.ndarray) -> np.ndarray:
        return np.einsum("vk,vk...->v...", share, values[corners])

    weight = after.regions["face"] * (1 - np.maximum(after.regions["eyes"], after.regions["mouth"]))
    return _change(
        (carried(before.albedo_mean), carried(before.albedo_basis)),
        (after.albedo_mean, after.albedo_basis),
        weight,
        RIDGE_COLOUR,
    )


def _change(
    old: tuple[np.ndarray, np.ndarray],
    new: tuple[np.ndarray, np.ndarray],
    weight: np.ndarray,
    ridge: float,
) -> Affine:
    root = np.sqrt(weight / weight.sum())[:, None, None]
    flat = lambda basis: (root * basis).reshape(-1, basis.shape[-1]).astype(np.float64)  # noqa: E731
    basis = flat(new[1])
    targets = np.concatenate([flat(old[1]), flat((old[0] - new[0])[..., None])], axis=1)
    normal = basis.T @ basis + ridge**2 * np.eye(basis.shape[1])
    found = np.linalg.solve(normal, basis.T @ targets)
    left = targets - basis @ found
    print(
        f"root mean square of the old modes {np.sqrt((targets[:, :-1] ** 2).sum()):.4f}, not kept "
        f"{np.sqrt((left[:, :-1] ** 2).sum()):.4f}; of the means' difference "
        f"{np.linalg.norm(targets[:, -1]):.4f}, not kept {np.linalg.norm(left[:, -1]):.4f}"
    )
    return Affine(found[:, :-1], found[:, -1])


def fold(network: onnx.ModelProto, head: str, change: Affine) -> None:
    """Put an affine change behind a 1 x 1 convolution, into its weight and bias."""
    (conv,) = (
        node
        for node in network.graph.node
        if node.op_type == "Conv" and node.input[1].startswith(head)
    )
    (reshape,) = (node for node in network.graph.node if conv.output[0] in node.input)
    tensors = {tensor.name.removesuffix(".half"): tensor for tensor in network.graph.initializer}
    weight, bias = (tensors[name] for name in conv.input[1:3])
    values = onnx.numpy_helper.to_array(weight)
    constant = onnx.numpy_helper.to_array(bias)
    matrix = change.matrix @ values.reshape(len(values), -1).astype(np.float64)
    shift = change.matrix @ constant.astype(np.float64) + change.offset
    size = tensors[reshape.input[1]]
    for tensor, array, like in (
        (size, np.array([-1, len(matrix)]), onnx.numpy_helper.to_array(size)),
        (weight, matrix.reshape(-1, *values.shape[1:]), values),
        (bias, shift, constant),
    ):
        tensor.CopyFrom(onnx.numpy_helper.from_array(array.astype(like.dtype), tensor.name))


if __name__ == "__main__":
    main()
