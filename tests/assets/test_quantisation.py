"""Scales of 8-bit weights against a loop over every pair."""

import numpy as np
import pytest

from mlanet.assets import verified_path

onnx = pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def quantisation(_scripts):
    pytest.importorskip("sympy")  # onnxruntime.quantization needs it
    import quantisation

    return quantisation


def largest_sums(weights: np.ndarray) -> list[float]:
    sums = []
    for kernel in weights:
        most = 0.0
        for row in (kernel.reshape(-1), np.moveaxis(kernel, 0, -1).reshape(-1)):
            for k in range(0, len(row), 2):
                pair = row[k : k + 2]
                most = max(most, pair[pair > 0].sum(), -pair[pair < 0].sum())
        sums.append(most)
    return sums


@pytest.mark.parametrize("shape", [(5, 8, 1, 1), (4, 3, 3, 3), (2, 5, 2, 2)])
def test_pairs_are_those_of_the_loop(quantisation, shape):
    weights = np.random.default_rng(0).normal(size=shape)
    np.testing.assert_allclose(quantisation.pair_sums(weights), largest_sums(weights))


def test_two_products_always_fit_16_bits(quantisation):
    weights = np.random.default_rng(1).normal(size=(64, 48, 1, 1)).astype(np.float32)
    steps = np.rint(weights / quantisation.channel_scales(weights, 1)[:, None, None, None])
    assert max(largest_sums(steps)) * 255 <= 32767
    assert np.abs(steps).max() > 64


def test_no_processor_cuts_off_what_the_shipped_detector_adds():
    graph = onnx.load(verified_path("detector")).graph
    arrays = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    made = {node.output[0]: node for node in graph.node}
    checked = 0
    for node in graph.node:
        source = made.get(node.input[1]) if node.op_type == "Conv" else None
        if source is None or any(one.name == "group" and one.i > 1 for one in node.attribute):
            continue
        weights = arrays[source.input[0]]
        assert weights.dtype == np.int8
        assert max(largest_sums(weights.astype(np.float64))) * 255 <= 32767
        checked += 1
    assert checked > 30
