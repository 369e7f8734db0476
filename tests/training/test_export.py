import json
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import onnx.reference
import pytest
import torch

from mlanet.errors import ConfigurationError
from mlanet.morphable import load_model
from mlanet.network import PRESETS, NetworkConfig
from mlanet.network.confidence import Confidence, LogLogistic
from mlanet.network.config import OPEN_LAYOUT
from mlanet.network.runtime import CoefficientRegressor
from mlanet.training.checkpoint import load_trained
from mlanet.training.export import TOLERANCE, export_onnx, store_in_half
from mlanet.training.learner import Learner


def write_checkpoint(config, path):
    """A network whose heads, norms and statistics are all far from where they start."""
    torch.manual_seed(0)
    learner = Learner.start(config)
    for head in learner.average.heads.values():
        torch.nn.init.normal_(head.weight, std=0.02)
    for module in learner.average.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.uniform_(0.8, 1.2)
            module.bias.normal_(std=0.1)
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    learner.save(path, 5)
    return path


@pytest.fixture(scope="module")
def checkpoint(tiny, tmp_path_factory):
    return write_checkpoint(tiny, tmp_path_factory.mktemp("checkpoint") / "checkpoint.safetensors")


@pytest.fixture(scope="module")
def exported(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "network.onnx"
    return export_onnx(checkpoint, path)


@pytest.fixture(scope="module")
def graph(exported):
    return onnx.load(exported.path)


def test_the_file_says_what_torch_says(checkpoint, exported):
    assert exported.conversion_error <= TOLERANCE
    network = load_trained(checkpoint).network
    regressor = CoefficientRegressor.load(exported.path)
    assert regressor.config == network.config
    crops = np.random.default_rng(0).integers(0, 256, (3, 128, 128, 3)).astype(np.uint8)
    with torch.no_grad():
        expected = network(torch.from_numpy(crops).permute(0, 3, 1, 2) / 255.0).coefficients.numpy()
    assert np.abs(expected).max() > 0.1
    found = regressor(crops)
    assert found.dtype == np.float32
    tolerance = 2 * exported.rounding_error
    assert tolerance < 0.02
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    np.testing.assert_allclose(regressor(crops[1:2]), found[1:2], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("attention", "fusion"), [("none", "none"), ("coordinate", "top-down")])
def test_every_variant_of_the_network_is_rebuilt_and_exported(tiny, tmp_path, attention, fusion):
    config = replace(tiny, preset="small", attention=attention, fusion=fusion)
    path = write_checkpoint(config, tmp_path / "checkpoint.safetensors")
    expected = replace(PRESETS["small"], attention=attention, fusion=fusion)
    assert load_trained(path).network.config == expected
    report = export_onnx(path, tmp_path / "network.onnx")  # compares both
    assert report.conversion_error <= TOLERANCE
    assert CoefficientRegressor.load(report.path).config == expected


def test_weights_lie_in_half_precision(exported, graph):
    assert exported.size_bytes == exported.path.stat().st_size
    assert exported.size_bytes == pytest.approx(4.8e6, rel=0.02)
    sizes = Counter()
    for weights in graph.graph.initializer:
        sizes[weights.data_type] += int(np.prod(weights.dims))
    assert sizes[onnx.TensorProto.FLOAT16] > 0.95 * sum(sizes.values())
    cast = {node.input[0] for node in graph.graph.node if node.op_type == "Cast"}
    halves = [w for w in graph.graph.initializer if w.data_type == onnx.TensorProto.FLOAT16]
    assert cast == {weights.name for weights in halves}


def test_halving_changes_nothing_that_half_precision_holds():
    """A graph whose weights are exact in half precision computes the same bits afterwards."""
    rng = np.random.default_rng(0)
    weights = rng.integers(-8, 9, (16, 128)).astype(np.float32) / 8
    small = rng.normal(size=16).astype(np.float32)
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 18]>
        line (float[batch, 16] x) => (float[batch, 128] y) {
            moved = Add(x, small)
            y = MatMul(moved, weights)
        }"""
    )
    for name, values in (("weights", weights), ("small", small)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(values, name))
    x = rng.normal(size=(3, 16)).astype(np.float32)
    before = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]
    store_in_half(model)
    types = {item.name: item.data_type for item in model.graph.initializer}
    assert types == {"weights.half": onnx.TensorProto.FLOAT16, "small": onnx.TensorProto.FLOAT}
    after = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})[0]
    np.testing.assert_array_equal(after, before)


def test_the_graph_is_clean(graph):
    operators = Counter(node.op_type for node in graph.graph.node)
    assert operators["BatchNormalization"] == 0
    assert operators["Conv"] == 106
    assert {item.domain: item.version for item in graph.opset_import}[""] >= 17
    assert graph.ir_version <= 10  # what the oldest supported onnxruntime reads
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*graph.graph.input, *graph.graph.output)
    }
    assert shapes == {"crop": ["batch", 3, 128, 128], "coefficients": ["batch", OPEN_LAYOUT.size]}
    for value in (*graph.graph.input, *graph.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_the_file_describes_its_network_and_tells_nothing_of_the_machine(exported, graph, tiny):
    properties = {item.key: item.value for item in graph.metadata_props}
    assert set(properties) == {"mlanet"}
    described = json.loads(properties["mlanet"])
    assert described["format"] == "mlanet-network-1"
    assert described["face_model"] == load_model().name
    assert described["step"] == exported.step == 5
    assert described["training"]["steps"] == tiny.steps
    assert NetworkConfig.from_dict(described["network"]) == NetworkConfig()
    assert not re.search(rb'File "|\.py\b', exported.path.read_bytes())


def test_other_suffixes_are_refused(checkpoint, tmp_path):
    with pytest.raises(ConfigurationError, match=r"\.onnx"):
        export_onnx(checkpoint, tmp_path / "network.bin")
    assert not list(tmp_path.iterdir())


def test_another_face_models_network_says_so(tiny, tmp_path):
    learner = Learner.start(tiny)
    learner.objective.model_name = "another"
    learner.save(tmp_path / "checkpoint.safetensors", 5)
    export_onnx(tmp_path / "checkpoint.safetensors", tmp_path / "network.onnx")
    assert CoefficientRegressor.load(tmp_path / "network.onnx").face_model == "another"
    with pytest.raises(ConfigurationError, match=r"init: .* regresses coefficients of another,"):
        Learner.start(tiny, init=tmp_path / "checkpoint.safetensors")


CONFIDENCE = Confidence(landmark=LogLogistic(4.0, 3.0), face=LogLogistic(3.0, 6.0))


@pytest.fixture(scope="module")
def sure(tiny):
    """A learner whose network says how sure it is."""
    weights = replace(tiny.weights, likelihood=1.0)
    learner = Learner.start(replace(tiny, preset="small", weights=weights))
    for head in (*learner.average.heads.values(), learner.average.uncertainty):
        torch.nn.init.normal_(head.weight, std=0.02)
    return learner


@pytest.mark.parametrize("confidence", [None, CONFIDENCE])
def test_how_sure_a_network_is_travels_with_it(sure, tmp_path, confidence):
    sure.save(tmp_path / "checkpoint.safetensors", 5, confidence)
    assert load_trained(tmp_path / "checkpoint.safetensors").confidence == confidence
    report = export_onnx(
        tmp_path / "checkpoint.safetensors", tmp_path / "network.onnx", precision="fp32"
    )
    regressor = CoefficientRegressor.load(report.path)
    assert regressor.confidence == confidence
    size = regressor.config.input_size
    crops = np.random.default_rng(0).integers(0, 256, (3, size, size, 3)).astype(np.uint8)
    vectors, log_variances = regressor.answers(crops)
    np.testing.assert_array_equal(vectors, regressor(crops))
    with torch.no_grad():
        expected = sure.average(torch.from_numpy(crops).permute(0, 3, 1, 2) / 255.0)
    np.testing.assert_allclose(log_variances, expected.log_variances.numpy(), atol=1e-4)
    assert np.ptp(log_variances) > 1e-3


def test_a_network_without_that_head_says_nothing_of_it(exported):
    regressor = CoefficientRegressor.load(exported.path)
    assert regressor.confidence is None
    assert regressor.answers(np.zeros((1, 128, 128, 3), np.uint8))[1] is None
