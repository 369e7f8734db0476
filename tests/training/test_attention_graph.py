"""Attention in an exported graph is rewritten without another answer."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from mlanet.assets import verified_path
from mlanet.network.attention import CoordinateAttention
from mlanet.sessions import open_session
from mlanet.training.attention_graph import MOST_CELLS, speed_up_attention


@pytest.mark.parametrize("size", [(8, 8), (12, 5), (20, 24)])
def test_the_answers_stay(size):
    torch.manual_seed(0)
    height, width = size
    block = CoordinateAttention(16).eval()
    given = torch.rand(2, 16, height, width)
    program = torch.onnx.export(
        block,
        (given,),
        input_names=["map"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=18,
        dynamo=True,
        verbose=False,
    )
    model = program.model_proto
    expected = open_session(model.SerializeToString(), 1).run(None, {"map": given.numpy()})
    assert speed_up_attention(model) == 1
    kinds = [node.op_type for node in model.graph.node]
    assert "Transpose" not in kinds
    assert "ReduceMean" not in kinds
    assert ("AveragePool" in kinds) == (height * width > MOST_CELLS)
    session = open_session(model.SerializeToString(), 1)
    (found,) = session.run(None, {"map": given.numpy()})
    np.testing.assert_allclose(found, expected[0], atol=1e-6)
    np.testing.assert_allclose(found, block(given).detach().numpy(), atol=1e-6)
    (one,) = session.run(None, {"map": given[1:].numpy()})
    np.testing.assert_allclose(one, found[1:], atol=1e-6)
    assert speed_up_attention(model) == 0


def test_nothing_is_left_to_be_rewritten_in_the_shipped_network():
    model = onnx.load(verified_path("mobile"))
    assert not [node for node in model.graph.node if node.op_type == "Transpose"]
    assert speed_up_attention(model) == 0
