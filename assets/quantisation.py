"""Networks in 8 bits whose results are the same on every processor.

Weights become signed, activations unsigned bytes (onnxruntime's static quantisation, weights with
a scale for each output channel). Processors without VNNI instructions add the products of two
neighbours in 16 bits and cut off what does not fit: `255 * (w0 + w1)`. onnxruntime's `reduce_range`
avoids that by giving up one bit of every weight; here the scale of a channel grows only as far as
its largest pair of neighbours needs, a quarter in the median.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

OPSET = 17
LARGEST = 127.0
"""Of a weight, and of what two neighbours of one sign add up to; 255 * 128 still fits 16 bits."""


class Batches(CalibrationDataReader):
    """Inputs of a network, one after the other."""

    def __init__(self, name: str, batches: list[np.ndarray]) -> None:
        self._name, self._batches = name, batches
        self._next: Iterator[np.ndarray] = iter(batches)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next one; None after the last."""
        batch = next(self._next, None)
        return None if batch is None else {self._name: batch}

    def rewind(self) -> None:
        """Begin anew."""
        self._next = iter(self._batches)


def pair_sums(weights: np.ndarray) -> np.ndarray:
    """Of each output channel: what two neighbours of one sign add up to at most.

    Neighbours are those of either order in which a kernel may be laid out in memory.
    """
    count = len(weights)
    sums = np.zeros(count)
    for rows in (weights.reshape(count, -1), np.moveaxis(weights, 1, -1).reshape(count, -1)):
        pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(count, -1, 2)
        for signed in (pairs, -pairs):
            sums = np.maximum(sums, np.clip(signed, 0.0, None).sum(axis=2).max(axis=1))
    return sums


def channel_scales(weights: np.ndarray, group: int) -> np.ndarray:
    """Value of one step in each output channel. Grouped kernels are not added in pairs."""
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    if group == 1:
        largest = np.maximum(largest, pair_sums(weights))
    return np.maximum(largest / LARGEST, 1e-12).astype(np.float32)


def quantise(
    model: onnx.ModelProto,
    path: Path,
    batches: list[np.ndarray],
    stays_float: Callable[[onnx.NodeProto], bool],
    **calibration: Any,
) -> None:
    """Write a network of float convolutions in 8 bits.

    Args:
        model: it; its nodes get names.
        path: the file to be written.
        batches: inputs by which the ranges of activations are found.
        stays_float: which nodes are left as they are.
        calibration: `calibrate_method` and further options of onnxruntime.
    """
    weights = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    overrides: dict[str, list[dict[str, Any]]] = {}
    for number, node in enumerate(model.graph.node):
        node.name = f"{node.op_type.lower()}_{number}"
        if node.op_type == "Conv" and not stays_float(node):
            group = next((one.i for one in node.attribute if one.name == "group"), 1)
            overrides[node.input[1]] = [
                {"axis": 0, "scale": scale, "zero_point": np.int8(0)}
                for scale in channel_scales(weights[node.input[1]], group)
            ]
    options = {"TensorQuantOverrides": overrides, **calibration.pop("extra_options", {})}
    quantize_static(
        model,
        path,
        Batches(model.graph.input[0].name, batches),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        nodes_to_exclude=[node.name for node in model.graph.node if stays_float(node)],
        calibrate_method=calibration.pop("calibrate_method", CalibrationMethod.MinMax),
        extra_options=options,
        **calibration,
    )
