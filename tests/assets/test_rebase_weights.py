"""A network carried over to another face model, on models of forty vertices."""

from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest

onnx = pytest.importorskip("onnx", reason="needs the extra train")
from onnx import TensorProto, helper, numpy_helper

from mlanet.morphable import LinearShape

VERTICES, IDENTITY, ALBEDO, FEATURES = 40, 5, 3, 6


def small_model(rng):
    """Modes of some millimetres; the landmarks are vertices."""
    mean, identity = (
        50.0 * rng.normal(size=(VERTICES, 3)),
        4.0 * rng.normal(size=(VERTICES, 3, IDENTITY)),
    )
    return SimpleNamespace(
        shape=LinearShape(mean, identity, np.zeros((VERTICES, 3, 0))),
        landmarks=LinearShape(mean[:8], identity[:8], np.zeros((8, 3, 0))),
        albedo_mean=rng.uniform(0.2, 0.8, (VERTICES, 3)),
        albedo_basis=0.3 * rng.normal(size=(VERTICES, 3, ALBEDO)),
        regions=dict.fromkeys(("face", "eyes", "mouth"), np.ones(VERTICES)),
    )


def rewritten(model, rng, more=2):
    """The same faces by other coefficients: mixed modes, another mean among them, more modes."""
    identity = model.shape.identity @ np.linalg.qr(rng.normal(size=(IDENTITY, IDENTITY)))[0]
    extra = 4.0 * rng.normal(size=(VERTICES, 3, more))
    identity = np.concatenate([1.3 * identity, extra], axis=-1)
    mean = model.shape.mean + identity @ np.linspace(-0.5, 0.5, IDENTITY + more)
    albedo = model.albedo_basis @ np.linalg.qr(rng.normal(size=(ALBEDO, ALBEDO)))[0]
    return SimpleNamespace(
        shape=LinearShape(mean, identity, model.shape.expression),
        landmarks=LinearShape(mean[:8], identity[:8], model.landmarks.expression),
        albedo_mean=model.albedo_mean + albedo @ np.array([0.2, -0.1, 0.3]),
        albedo_basis=albedo,
        regions=model.regions,
    )


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


def test_faces_stay_what_they_were_up_to_half_precision(rng):
    import rebase_weights

    before = small_model(rng)
    after = rewritten(before, rng)
    network = small_network(rng)
    features = rng.normal(size=(20, FEATURES, 1, 1)).astype(np.float32)
    identity, albedo = answers(network, features)
    shape_change = rebase_weights.identity_change(before, after)
    colour_change = rebase_weights.albedo_change(before, after)
    rebase_weights.fold(network, "heads.identity", shape_change)
    rebase_weights.fold(network, "heads.albedo", colour_change)
    onnx.checker.check_model(network, full_check=True)
    new_identity, new_albedo = answers(network, features)
    assert new_identity.shape == (20, IDENTITY + 2)

    expected = before.shape.mean + np.einsum("vdk,bk->bvd", before.shape.identity, identity)
    found = after.shape.mean + np.einsum("vdk,bk->bvd", after.shape.identity, new_identity)
    moved = np.abs(expected - before.shape.mean).max()
    assert np.abs(found - expected).max() < 2e-3 * moved
    colours = before.albedo_mean + np.einsum("vdk,bk->bvd", before.albedo_basis, albedo)
    after_colours = after.albedo_mean + np.einsum("vdk,bk->bvd", after.albedo_basis, new_albedo)
    spread = np.abs(colours - before.albedo_mean).max()
    assert np.abs(after_colours - colours).max() < 4e-3 * spread


def test_what_the_new_model_cannot_do_is_approached_where_landmarks_are(rng):
    """With a mode less, the landmarks keep more of the old face than the other vertices."""
    import rebase_weights

    before = small_model(rng)
    less = before.shape.identity[..., :-1]
    after = SimpleNamespace(
        shape=LinearShape(before.shape.mean, less, before.shape.expression),
        landmarks=LinearShape(before.shape.mean[:8], less[:8], before.landmarks.expression),
        regions=before.regions,
    )
    change = rebase_weights.identity_change(before, after)
    assert change.matrix.shape == (IDENTITY - 1, IDENTITY)
    np.testing.assert_allclose(change.matrix[:, :-1], np.eye(IDENTITY - 1), atol=1e-3)
    left = before.shape.identity[..., -1] - less @ change.matrix[:, -1]
    lost = np.linalg.norm(left, axis=1) / np.linalg.norm(before.shape.identity[..., -1], axis=1)
    assert lost[:8].mean() < lost[8:].mean()
    np.testing.assert_allclose(change.offset, 0.0, atol=1e-9)
