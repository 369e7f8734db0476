"""Write the network that ships in 8 bits.

    python assets/quantise_network.py --data DATA --out FILE

`DATA` holds `aflw_train` (docs/reference/datasets.md): 100 of its crops tell the ranges of
activations. Bytes are the convolutions of the backbone's blocks; its first and last ones, the gates
of the attention, the fusion and the heads stay float. What the file says of itself is kept, so that
`--weights FILE` takes it.
"""

import argparse
import io
import re
from pathlib import Path

import numpy as np
import onnx
from PIL import Image
from quantisation import quantise

from mlanet.assets import verified_path
from mlanet.datasets import TarIndex
from mlanet.network.runtime import CoefficientRegressor

NUM_CROPS = 100
BODY = re.compile(r"backbone\.body\.blocks\.([1-5])\.\d\.conv_(pw|dw|pwl)\.weight")
"""Weights that become bytes: all but those of the first and the last block."""


def with_float_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network without half-precision weights and their casts."""
    graph = model.graph
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in weights:
            weights[node.output[0]] = weights[node.input[0]].astype(np.float32)
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(
        onnx.numpy_helper.from_array(array, name) for name, array in weights.items() if name in used
    )
    return model


def stays_float(node: onnx.NodeProto) -> bool:
    """Everything but the convolutions of the blocks and what cuts their answers off."""
    if node.op_type != "Conv":
        return node.op_type != "Clip"
    return BODY.search(node.input[1]) is None


def some_crops(data: Path, size: int) -> list[np.ndarray]:
    """Inputs of the network."""
    index = TarIndex(sorted((data / "aflw_train").glob("*.tar")))
    chosen = np.random.default_rng(1).choice(len(index), NUM_CROPS, replace=False)
    batches: list[np.ndarray] = []
    for k in chosen:
        with Image.open(io.BytesIO(index.read(int(k)))) as opened:
            crop = np.asarray(opened.convert("RGB").resize((size, size)), np.float32)
        batches.append(np.ascontiguousarray(crop.transpose(2, 0, 1)[None]) / np.float32(255.0))
    return batches


def main() -> None:
    """Read the shipped network, quantise it, see that it can be read."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    size = CoefficientRegressor.load().config.input_size
    model = with_float_weights(onnx.load(verified_path("mobile")))
    quantise(model, arguments.out, some_crops(arguments.data, size), stays_float)
    CoefficientRegressor.load(arguments.out)


if __name__ == "__main__":
    main()
