import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.network import (
    AttentionalFeatureFusion,
    BottomUpFusion,
    CoordinateAttention,
    TopDownFusion,
)
from mlanet.network.mlanet import bounded


def noise(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("channels", "height", "width"), [(16, 5, 9), (96, 8, 8), (512, 1, 3)])
def test_coordinate_attention_keeps_shapes_and_gates_in_0_1(channels, height, width):
    layer = CoordinateAttention(channels).eval()
    x = noise(2, channels, height, width)
    gate = layer(x) / x
    assert gate.shape == x.shape
    assert gate.min() > 0.0
    assert gate.max() < 1.0


def test_coordinate_attention_gates_are_one_number_for_each_row_times_each_column():
    layer = CoordinateAttention(16).eval()
    x = noise(1, 16, 6, 7)
    gate = (layer(x) / x)[0].detach().numpy()
    for channel in gate[:4]:
        singular = np.linalg.svd(channel, compute_uv=False)
        assert singular[1] < 1e-5 * singular[0]


def test_coordinate_attention_swaps_axes_with_its_gates():
    layer = CoordinateAttention(16).eval()
    x = noise(1, 16, 6, 7)
    swapped = CoordinateAttention(16).eval()
    state = layer.state_dict()
    for kind in ("weight", "bias"):
        state[f"rows.{kind}"], state[f"columns.{kind}"] = (
            state[f"columns.{kind}"],
            state[f"rows.{kind}"],
        )
    swapped.load_state_dict(state)
    torch.testing.assert_close(swapped(x.transpose(2, 3)), layer(x).transpose(2, 3))


def aff_transcribed(layer, x, r):
    """2·x·w + 2·r·(1 − w), w = sigmoid(L(x + r) + G(x + r)), written with plain loops."""

    def pointwise(conv, values):
        weight = conv.weight[:, :, 0, 0]
        return torch.einsum("oc,bchw->bohw", weight, values) + conv.bias[:, None, None]

    def norm(layer, values):
        scale = layer.weight / (layer.running_var + layer.eps).sqrt()
        return (values - layer.running_mean[:, None, None]) * scale[:, None, None] + layer.bias[
            :, None, None
        ]

    def branch(convs, values):
        first, first_norm, _, second, second_norm = convs
        hidden = norm(first_norm, pointwise(first, values)).clamp_min(0.0)
        return norm(second_norm, pointwise(second, hidden))

    both = x + r
    pooled = both.mean(dim=(2, 3), keepdim=True)
    weight = 1.0 / (1.0 + (-branch(layer.local, both) - branch(layer.whole[1:], pooled)).exp())
    return 2.0 * x * weight + 2.0 * r * (1.0 - weight)


def test_attentional_fusion_follows_its_formula():
    torch.manual_seed(0)
    layer = AttentionalFeatureFusion(12)
    for k in range(3):
        layer(noise(4, 12, 5, 5, seed=k), noise(4, 12, 5, 5, seed=k + 9))  # moves the statistics
    layer.eval()
    x, r = noise(2, 12, 4, 6, seed=20), noise(2, 12, 4, 6, seed=21)
    torch.testing.assert_close(layer(x, r), aff_transcribed(layer, x, r))


def test_attentional_fusion_of_a_map_with_itself_is_twice_the_map():
    layer = AttentionalFeatureFusion(8).eval()
    x = noise(1, 8, 3, 3)
    torch.testing.assert_close(layer(x, x), 2.0 * x)


def test_bottom_up_fusion_ends_at_the_coarsest_stage_and_uses_every_stage():
    torch.manual_seed(0)
    channels, sides = (4, 6, 10), (8, 4, 2)
    fusion = BottomUpFusion(channels).eval()
    stages = [noise(1, c, s, s).requires_grad_() for c, s in zip(channels, sides, strict=True)]
    (top,) = fusion(stages)
    assert top.shape == (1, fusion.num_features, 2, 2)
    top.square().sum().backward()
    assert all(stage.grad.abs().max() > 0 for stage in stages)


def test_top_down_fusion_refines_every_level_and_returns_all_of_them():
    torch.manual_seed(0)
    channels, sides = (4, 6, 10), (8, 4, 2)
    fusion = TopDownFusion(channels).eval()
    stages = [noise(1, c, s, s).requires_grad_() for c, s in zip(channels, sides, strict=True)]
    levels = fusion(stages)
    assert [tuple(level.shape) for level in levels] == [(1, 10, 2, 2), (1, 6, 4, 4), (1, 4, 8, 8)]
    assert fusion.num_features == 20
    levels[-1].square().sum().backward()
    assert all(stage.grad.abs().max() > 0 for stage in stages)


def test_top_down_fusion_follows_its_formula():
    torch.manual_seed(0)
    fusion = TopDownFusion((4, 6)).eval()
    fine, coarse = noise(1, 4, 6, 8), noise(1, 6, 3, 4, seed=1)
    levels = fusion([fine, coarse])
    conv = fusion.up[0][0]
    narrow = torch.einsum("oc,bchw->bohw", conv.weight[:, :, 0, 0], coarse)
    narrow = narrow + conv.bias[:, None, None]
    enlarged = narrow.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert levels[0] is coarse
    torch.testing.assert_close(levels[1], aff_transcribed(fusion.fuse[0], fine, enlarged))


def test_bounded_clamps_and_lets_gradients_pass_that_lead_inside():
    values = torch.tensor([-0.5, -0.5, 0.0, 0.3, 0.3, 1.0, 1.5, 1.5], requires_grad=True)
    # Gradient descent moves against the gradient: a positive one lowers the value.
    gradient = torch.tensor([-1.0, 2.0, 2.0, 3.0, -3.0, -4.0, 4.0, -4.0])
    out = bounded(values)
    assert out.tolist() == pytest.approx([0, 0, 0, 0.3, 0.3, 1, 1, 1])
    out.backward(gradient)
    assert values.grad.tolist() == [-1.0, 0.0, 0.0, 3.0, -3.0, 0.0, 4.0, 0.0]


def test_bounded_learns_a_value_back_from_outside():
    value = torch.tensor([-2.0], requires_grad=True)
    optimizer = torch.optim.SGD([value], lr=0.5)
    for _ in range(40):
        optimizer.zero_grad()
        (bounded(value) - 0.7).square().sum().backward()
        optimizer.step()
    assert value.item() == pytest.approx(0.7, abs=1e-3)


def test_bounded_without_gradients_is_a_clamp():
    values = torch.tensor([-1.0, 0.5, 2.0])
    assert bounded(values).tolist() == [0.0, 0.5, 1.0]
