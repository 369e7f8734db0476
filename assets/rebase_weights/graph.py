"""Linear heads of an exported network: read, changed, written."""

import json
from dataclasses import dataclass

import numpy as np
import onnx
from jaxtyping import Float
from onnx import numpy_helper

from mlanet.morphable import MorphableModel
from mlanet.network.runtime import METADATA_KEY

FEATURES = "features"
"""Output that `with_features` adds."""


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """`new = matrix @ old + offset`."""

    matrix: Float[np.ndarray, "m n"]
    offset: Float[np.ndarray, "m"]

    def after(self, first: "Affine") -> "Affine":
        """First the other one, then this one."""
        return Affine(self.matrix @ first.matrix, self.matrix @ first.offset + self.offset)

    def rows(self, part: slice) -> "Affine":
        """Some of the numbers that it gives."""
        return Affine(self.matrix[part], self.offset[part])


def read_head(network: onnx.ModelProto, head: str) -> Affine:
    """From pooled features to a head's coefficients: a 1 x 1 convolution."""
    tensors = _Tensors.of(network, head)
    weight, bias = numpy_helper.to_array(tensors.weight), numpy_helper.to_array(tensors.bias)
    return Affine(weight.reshape(len(weight), -1).astype(np.float64), bias.astype(np.float64))


def write_head(network: onnx.ModelProto, head: str, values: Affine) -> None:
    """Put other weights into a head, whose number of coefficients may change."""
    tensors = _Tensors.of(network, head)
    for tensor, array in (
        (tensors.weight, values.matrix[:, :, None, None]),
        (tensors.bias, values.offset),
        (tensors.shape, np.array([-1, len(values.offset)])),
    ):
        dtype = numpy_helper.to_array(tensor).dtype
        tensor.CopyFrom(numpy_helper.from_array(array.astype(dtype), tensor.name))


def fold(network: onnx.ModelProto, head: str, change: Affine) -> None:
    """Put an affine change of coefficients behind a head into the head."""
    write_head(network, head, change.after(read_head(network, head)))


def with_features(network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with the heads' pooled features as a second output."""
    copy = onnx.ModelProto()
    copy.CopyFrom(network)
    (source,) = {node.input[0] for node in network.graph.node if _is_head(node)}
    copy.graph.node.append(onnx.helper.make_node("Identity", [source], [FEATURES]))
    copy.graph.output.append(
        onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, None)
    )
    return copy


def face_model_of(network: onnx.ModelProto) -> str:
    """Name of the face model whose coefficients a network regresses."""
    return json.loads(_metadata(network).value)["face_model"]


def describe(network: onnx.ModelProto, model: MorphableModel) -> None:
    """Say in the network's description that its coefficients are those of a face model."""
    metadata = _metadata(network)
    described = json.loads(metadata.value)
    described["face_model"] = model.name
    described["network"]["layout"] |= {
        name: model.layout.sizes[name] for name in ("identity", "expression", "albedo")
    }
    metadata.value = json.dumps(described)
    network.graph.output[0].type.tensor_type.shape.dim[1].dim_value = model.layout.size


@dataclass(frozen=True, slots=True, eq=False)
class _Tensors:
    """What a head's convolution and the reshape behind it hold."""

    weight: onnx.TensorProto
    bias: onnx.TensorProto
    shape: onnx.TensorProto

    @classmethod
    def of(cls, network: onnx.ModelProto, head: str) -> "_Tensors":
        nodes = network.graph.node
        (conv,) = (node for node in nodes if _is_head(node) and node.input[1].startswith(head))
        (reshape,) = (node for node in nodes if conv.output[0] in node.input)
        # Half-precision weights are cast where they are used.
        named = {each.name.removesuffix(".half"): each for each in network.graph.initializer}
        return cls(*(named[name] for name in (*conv.input[1:3], reshape.input[1])))


def _is_head(node: onnx.NodeProto) -> bool:
    return node.op_type == "Conv" and node.input[1].startswith("heads.")


def _metadata(network: onnx.ModelProto) -> onnx.StringStringEntryProto:
    (metadata,) = (each for each in network.metadata_props if each.key == METADATA_KEY)
    return metadata
