import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.errors import AssetError, ConfigurationError
from mlanet.geometry import decode_pose
from mlanet.network import PRESETS, Backbone, MLANet, NetworkConfig, load_backbone_weights
from mlanet.network.backbones import BACKBONES
from mlanet.network.mlanet import START_DEVIATION_PERCENT

MOBILE = replace(PRESETS["mobile"], input_size=32)
PAPER = replace(PRESETS["paper"], input_size=64)
SMALL = replace(PRESETS["small"], input_size=32)
VARIANTS = {
    "mobile": MOBILE,
    "paper": PAPER,
    "small-top-down": replace(SMALL, fusion="top-down"),
    "small-plain": replace(SMALL, attention="none", fusion="none"),
}
each_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS.keys())


def millions(config):
    return sum(p.numel() for p in MLANet(config).parameters()) / 1e6


def crops(config, batch=2, seed=0):
    size = config.input_size
    return torch.rand((batch, 3, size, size), generator=torch.Generator().manual_seed(seed))


def test_parameters_of_the_papers_network():
    assert millions(PRESETS["paper"]) == pytest.approx(32.5, abs=0.05)
    plain = replace(PRESETS["paper"], attention="none", fusion="none")
    assert millions(plain) == pytest.approx(24.0, abs=0.05)


def test_parameters_of_the_mobile_network():
    assert millions(PRESETS["mobile"]) == pytest.approx(2.329, abs=0.001)


def fusion_parameters(channels, fusion):
    """Counted from the definition: convolutions with bias, batch norms of two numbers a channel."""

    def conv(inputs, outputs):
        return inputs * outputs + outputs

    def context(width):
        hidden = width // 4
        return conv(width, hidden) + 2 * hidden + conv(hidden, width) + 2 * width

    steps = list(pairwise(channels if fusion == "bottom-up" else reversed(channels)))
    return sum(conv(start, end) + 2 * context(end) for start, end in steps)


@pytest.mark.parametrize("fusion", ["bottom-up", "top-down"])
@pytest.mark.parametrize("name", ["small", "paper"])
def test_parameters_of_a_fusion(name, fusion):
    def count(config):
        return sum(p.numel() for p in MLANet(config).parameters())

    config = replace(PRESETS[name], attention="none", fusion="none")
    channels = MLANet(config).backbone.channels
    expected = fusion_parameters(channels, fusion)
    if fusion == "top-down":  # the heads see every level
        expected += sum(channels[:-1]) * config.layout.size
    assert count(replace(config, fusion=fusion)) - count(config) == expected


def perturbed(config):
    """A network whose zero-initialised heads and last norms let gradients through."""
    torch.manual_seed(0)
    network = MLANet(config)
    for head in network.heads.values():
        torch.nn.init.normal_(head.weight, std=0.3)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    return network


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_table_of_backbones_tells_their_stages(name):
    backbone = Backbone(NetworkConfig(backbone=name, attention="none")).eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 64, 64))
    shapes = [tuple(each.shape[1:]) for each in maps]
    assert shapes == [
        (c, 64 // k, 64 // k) for c, k in zip(backbone.channels, (4, 8, 16, 32), strict=True)
    ]
    if hasattr(backbone.body, "feature_info"):  # timm's
        names = backbone.body.feature_info.module_name()
        assert [stage.last_module for stage in backbone.stages] == names


def test_an_unknown_backbone_is_named():
    with pytest.raises(ConfigurationError, match=r"'resnet5' is none of .* did you mean resnet50"):
        MLANet(NetworkConfig(backbone="resnet5"))


@each_variant
def test_gradients_reach_every_parameter(config):
    # In training mode a batch norm takes out the biases before it, so statistics are fixed here.
    network = perturbed(config).eval()
    out = network(crops(config)).coefficients
    out.backward(torch.randn(out.shape))
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.grad.abs().max() > 0, name


@each_variant
def test_the_first_step_of_training_moves_the_heads_alone(config):
    network = MLANet(config).train()
    (-network(crops(config)).coefficients).sum().backward()  # towards larger, allowed expressions
    for name, parameter in network.named_parameters():
        moved = bool(parameter.grad.abs().max() > 0)
        assert torch.isfinite(parameter.grad).all(), name
        assert moved == name.startswith("heads."), name


def test_zero_heads_give_the_frontal_mean_face():
    network = MLANet(MOBILE).eval()
    with torch.no_grad():
        vector = network(crops(MOBILE)).coefficients.numpy()
    coefficients = MOBILE.layout.split(vector)
    pose = decode_pose(coefficients.rotation, coefficients.translation)
    np.testing.assert_allclose(pose.rotation, [np.diag([1.0, -1.0, -1.0])] * 2, atol=1e-6)
    np.testing.assert_allclose(pose.translation, [[0.0, 0.0, 1000.0]] * 2)
    for name in ("identity", "expression", "albedo", "lighting"):
        assert not getattr(coefficients, name).any()


def test_output_follows_the_layout():
    config = replace(MOBILE, bounded_expression=False)
    network = MLANet(config).eval()
    blocks = ("identity", "expression", "albedo", "rotation", "shift", "depth", "lighting")
    for number, name in enumerate(blocks):
        torch.nn.init.constant_(network.heads[name].bias, float(number))
    with torch.no_grad():
        found = config.layout.split(network(crops(config)).coefficients.numpy())
    for number, name in enumerate(("identity", "expression", "albedo", "rotation")):
        assert (getattr(found, name) == number).all()
    assert found.translation.tolist() == [[4.0, 4.0, 5.0]] * 2
    assert (found.lighting == 6.0).all()


def test_expressions_are_bounded_where_the_model_asks_for_it():
    for config, low, high in ((MOBILE, 0.0, 1.0), (PAPER, -5.0, 5.0)):
        network = MLANet(config).eval()
        bias = network.heads["expression"].bias
        torch.nn.init.constant_(bias, 5.0)
        bias.data[0] = -5.0
        with torch.no_grad():
            found = config.layout.split(network(crops(config)).coefficients).expression
        assert found.min() == low
        assert found.max() == high


@pytest.mark.parametrize("attention", ["none", "coordinate"])
@pytest.mark.parametrize("fusion", ["none", "bottom-up", "top-down"])
@pytest.mark.parametrize("base", [MOBILE, PAPER, SMALL], ids=["mobile", "paper", "small"])
def test_ablations_differ_in_what_they_name(base, attention, fusion):
    config = replace(base, attention=attention, fusion=fusion)
    network = MLANet(config).eval()
    names = [name for name, _ in network.named_parameters()]
    num_gates = sum(name.endswith("squeeze.weight") for name in names)
    places = {"mobilenetv2_050": 10, "mobilenetv2_100": 10, "resnet50": 16}[base.backbone]
    assert num_gates == (places if attention == "coordinate" else 0)
    assert any(name.startswith("fusion.") for name in names) == (fusion != "none")
    with torch.no_grad():
        assert network(crops(config)).coefficients.shape == (2, config.layout.size)


@pytest.fixture(scope="module")
def classifier():
    import timm

    torch.manual_seed(3)
    model = timm.create_model("mobilenetv2_100", pretrained=False).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.8, 1.2)
    return model


@pytest.fixture(scope="module")
def weights(classifier, tmp_path_factory):
    """A classifier's file whose names say nothing, as torchvision's do not say timm's."""
    path = tmp_path_factory.mktemp("weights") / "classifier.pth"
    values = classifier.state_dict().values()
    torch.save({f"layer{number}": value for number, value in enumerate(values)}, path)
    return path


def test_backbone_weights_load_in_order(classifier, weights):
    network = MLANet(replace(MOBILE, attention="none")).eval()
    load_backbone_weights(network, weights)
    x = crops(MOBILE)
    with torch.no_grad():
        found = network.backbone(x)
        expected = classifier.forward_intermediates(x, intermediates_only=True)
    by_side = {feature.shape[-1]: feature for feature in expected}
    assert [feature.shape[-1] for feature in found] == [8, 4, 2, 1]
    for feature in found:
        torch.testing.assert_close(feature, by_side[feature.shape[-1]], rtol=0, atol=0)


def test_backbone_weights_leave_attention_alone(weights):
    network = MLANet(MOBILE)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    load_backbone_weights(network, weights)
    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    assert "backbone.body.conv_stem.weight" in changed
    assert all(name.startswith("backbone.body.") for name in changed)
    assert not any(".se." in name for name in changed)


def test_weights_of_another_backbone_are_refused(weights):
    with pytest.raises(AssetError, match=r"classifier\.pth: the tensors are not those"):
        load_backbone_weights(MLANet(PAPER), weights)


@pytest.mark.parametrize("content", [b"", b"no weights at all" * 100])
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"other\.pth: not a state dict"):
        load_backbone_weights(MLANet(MOBILE), path)


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(AssetError, match=r"missing\.pth"):
        load_backbone_weights(MLANet(MOBILE), tmp_path / "missing.pth")


def test_tensors_without_names_are_refused(tmp_path):
    path = tmp_path / "list.pth"
    torch.save([torch.zeros(3)], path)
    with pytest.raises(AssetError, match=r"list\.pth"):
        load_backbone_weights(MLANet(MOBILE), path)


SURE = replace(SMALL, uncertainty=True)


def test_an_untrained_head_says_one_deviation_of_every_landmark():
    with torch.no_grad():
        answers = MLANet(SURE).eval()(crops(SURE))
    assert answers.log_variances.shape == (2, 68)
    expected = torch.full((2, 68), 2.0 * math.log(START_DEVIATION_PERCENT))
    torch.testing.assert_close(answers.log_variances, expected)
    assert MLANet(SMALL).eval()(crops(SMALL)).log_variances is None


def test_the_uncertainty_teaches_nothing_but_its_own_head():
    network = MLANet(SURE).train()
    network(crops(SURE)).log_variances.sum().backward()
    taught = {name for name, each in network.named_parameters() if each.grad is not None}
    assert taught == {"uncertainty.weight", "uncertainty.bias"}
