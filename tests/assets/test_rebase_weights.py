"""A network carried over to another face model, on small ones."""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra train")
from onnx import TensorProto, helper, numpy_helper

from mlanet.morphable import LinearShape

IDENTITY, ALBEDO, FEATURES = 5, 3, 6


def small_network(rng):
    """Two heads as they are exported: a convolution of half-precision weights, then a reshape."""
    nodes, tensors = [], []
    for head, count in (("heads.identity", IDENTITY), ("heads.albedo", ALBEDO)):
        weight = rng.normal(size=(count, FEATURES, 1, 1)) / np.sqrt(FEATURES)
        tensors += [
            numpy_helper.from_array(weight.astype(np.float16), f"{head}.weight.half"),
            numpy_helper.from_array(rng.normal(size=count).astype(np.float32), f"{head}.bias"),
            numpy_helper.from_array(np.array([-1, count]), f"{head}.size"),
        ]
        inputs = ["features", f"{head}.weight", f"{head}.bias"]
        nodes += [
            helper.make_node("Cast", [f"{head}.weight.half"], [inputs[1]], to=TensorProto.FLOAT),
            helper.make_node("Conv", inputs, [f"{head}.map"]),
            helper.make_node("Reshape", [f"{head}.map", f"{head}.size"], [head]),
        ]
    values = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["b", FEATURES, 1, 1])
    outputs = [
        helper.make_tensor_value_info(head, TensorProto.FLOAT, ["b", None])
        for head in ("heads.identity", "heads.albedo")
    ]
    graph = helper.make_graph(nodes, "heads", [values], outputs, tensors)
    version = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=version, ir_version=8)


def answers(network, features):
    session = onnxruntime.InferenceSession(network.SerializeToString())
    return session.run(None, {"features": features})


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_a_change_behind_a_head_is_folded_into_it(rng):
    import rebase_weights

    network = small_network(rng)
    features = rng.normal(size=(20, FEATURES, 1, 1)).astype(np.float32)
    identity, albedo = answers(network, features)
    change = rebase_weights.Affine(rng.normal(size=(7, IDENTITY)), rng.normal(size=7))
    rebase_weights.fold(network, "heads.identity", change)
    onnx.checker.check_model(network, full_check=True)
    found, same = answers(network, features)
    expected = identity @ change.matrix.T + change.offset
    assert found.shape == (20, 7)
    np.testing.assert_allclose(found, expected, atol=5e-3 * np.abs(expected).max())
    np.testing.assert_array_equal(same, albedo)


def test_landmarks_stay_and_what_they_do_not_show_is_the_mean(rng, monkeypatch):
    """Two modes move landmarks; a third one does not, whatever the old model made of it."""
    import rebase_weights

    count = rebase_weights.NUM_LANDMARKS
    monkeypatch.setattr(rebase_weights, "SIDE_NOISE_MM", 1e-3)
    monkeypatch.setattr(rebase_weights, "DEPTH_NOISE_MM", 1e-3)
    mean, seen = 50.0 * rng.normal(size=(count, 3)), 4.0 * rng.normal(size=(count, 3, 2))
    none = np.zeros((count, 3, 1))
    old = LinearShape(mean, np.concatenate([seen, none], axis=-1), none)
    new = LinearShape(mean / 0.9 - seen @ np.array([0.5, 1.0]), np.concatenate(
        [none, seen @ np.array([[0.0, 2.0], [2.0, 0.0]])], axis=-1
    ), none)  # fmt: skip
    before, after = SimpleNamespace(landmarks=old), SimpleNamespace(landmarks=new)
    change = rebase_weights.identity_change(before, after, scale=0.9)
    np.testing.assert_allclose(change.offset, [0.0, 0.5, 0.25], atol=1e-4)
    expected = [[0.0, 0.0, 0.0], [0.0, 0.5 / 0.9, 0.0], [0.5 / 0.9, 0.0, 0.0]]
    np.testing.assert_allclose(change.matrix, expected, atol=1e-4)


def test_a_larger_face_of_the_same_proportions_is_a_matter_of_distance(rng):
    import rebase_weights

    mean = 50.0 * rng.normal(size=(rebase_weights.NUM_LANDMARKS, 3))
    before, after = (
        SimpleNamespace(landmarks=SimpleNamespace(mean=scale * mean)) for scale in (0.9, 1.0)
    )
    assert rebase_weights.size_change(before, after) == pytest.approx(0.9)
