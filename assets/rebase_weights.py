"""Carry the shipped network over to another version of the face model, without training.

    python assets/rebase_weights.py --before OLD_open_face.npz --network OLD.onnx --version 0.1.2

Identity and albedo heads are linear, so an affine change of coefficients folds into their
weights and biases. The change is the ridge regression of the old model's faces on the new one's:
vertices of the face in mm, and the landmarks, which the network was trained to place. Writes
`mobile.onnx` and registers it; pose, expression and light stay as they are.
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
from mlanet.morphable import MorphableModel
from mlanet.network.runtime import METADATA_KEY

LANDMARK_WEIGHT = 60.0
"""A landmark counts as much as this many vertices of the face."""

RIDGE_MM = 0.03
"""Of vertices' positions, against a standard deviation of each coefficient."""

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
    if before.expression_names != after.expression_names:
        raise SystemExit("the face models differ in more than identity and albedo modes")
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
    fold(network, "heads.identity", identity_change(before, after))
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


def identity_change(before: MorphableModel, after: MorphableModel) -> Affine:
    """The identity of the new model that is nearest to one of the old model."""
    weight = np.maximum.reduce([before.regions[name] for name in ("face", "eyes", "mouth")])
    weight = np.concatenate([weight, np.full(len(before.landmarks.mean), LANDMARK_WEIGHT)])
    stacked = [
        tuple(
            np.concatenate([getattr(model.shape, part), getattr(model.landmarks, part)])
            for part in ("mean", "identity")
        )
        for model in (before, after)
    ]
    return _change(*stacked, weight, RIDGE_MM)


def albedo_change(before: MorphableModel, after: MorphableModel) -> Affine:
    """The albedo of the new model that is nearest to one of the old model."""
    weight = np.maximum.reduce([before.regions[name] for name in ("face", "eyes", "mouth")])
    return _change(
        (before.albedo_mean, before.albedo_basis),
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
