"""A training checkpoint from an exported network, to train on where its weights stand.

    python assets/checkpoint.py NETWORK.onnx --data DATA --out runs/start.safetensors

An exported network has lost its batch norms: they are folded into the convolutions. Here each gets
back a norm that undoes itself: its statistics are measured on training batches, its gain and shift
are set so that the answers in evaluation stay what they were. Convolutions get back the length of
the weights that a network starts with, since AdamW's steps are relative to it.
"""

import argparse
import copy
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from mlanet.network import PRESETS, MLANet, load_backbone_weights
from mlanet.network.runtime import CoefficientRegressor
from mlanet.training import TrainingConfig
from mlanet.training.checkpoint import save_checkpoint
from mlanet.training.data import LabelledFaces
from mlanet.training.learner import build_optimizer

TOLERANCE = 2e-3
"""Of coefficients, between the exported network and the checkpoint."""


def main() -> None:
    """Read, measure, check, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("network", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="mobile")
    parser.add_argument("--backbone", type=Path, help="weights whose lengths are taken (.pth)")
    parser.add_argument("--batches", type=int, default=24, help="of 64 crops, for the statistics")
    arguments = parser.parse_args()
    torch.manual_seed(0)
    exported = CoefficientRegressor.load(arguments.network)
    uncertainty = exported.config.uncertainty
    network = MLANet(replace(PRESETS[arguments.preset], uncertainty=uncertainty))
    if arguments.backbone is not None:
        load_backbone_weights(network, arguments.backbone)
    config = TrainingConfig(preset=arguments.preset)
    size = network.config.input_size
    faces = LabelledFaces(arguments.data, config.held_out)
    crops = [faces.training_batch(step, size, config).pixels() for step in range(arguments.batches)]
    pairs = norms_of_convolutions(network, crops[0][:1])
    lengths = {name: channel_lengths(network.get_parameter(f"{name}.weight")) for name in pairs}
    load_folded(network, arguments.network, pairs)
    before = answers(network, crops[0])
    calibrate(network, pairs, lengths, torch.cat(crops))
    apart = float((answers(network, crops[0]) - before).abs().max())
    loaded = apart_from(arguments.network, crops[0], before)
    print(f"largest difference of a coefficient: {loaded:.2g} loading, {apart:.2g} calibrating")
    if max(apart, loaded) > TOLERANCE:
        raise SystemExit("the checkpoint would not be the exported network")
    save_checkpoint(
        arguments.out,
        network=network,
        average=copy.deepcopy(network),
        optimizer=build_optimizer(network, config),
        step=0,
        config={"network": network.config.as_dict(), "training": asdict(config)},
        face_model=exported.face_model,
        confidence=exported.confidence,
    )


def norms_of_convolutions(network: MLANet, crop: Tensor) -> dict[str, str]:
    """Which batch norm follows which convolution, found by running the network."""
    made: dict[int, str] = {}
    pairs: dict[str, str] = {}
    kept: list[Tensor] = []

    def watch(name: str, module: nn.Module) -> None:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(module, nn.Conv2d):
                made[id(output)] = name
                kept.append(output)
            elif id(inputs[0]) in made:
                pairs[made[id(inputs[0])]] = name

        module.register_forward_hook(hook)

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.BatchNorm2d):
            watch(name, module)
    network.eval()
    with torch.no_grad():
        network(crop)
    for module in network.modules():
        module._forward_hooks.clear()
    norms = [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
    if sorted(pairs.values()) != sorted(norms):
        raise SystemExit("a batch norm follows no convolution")
    return pairs


def channel_lengths(weight: Tensor) -> Tensor:
    """Mean length of a convolution's filters, one number."""
    return weight.detach().flatten(1).norm(dim=1).mean()


def load_folded(network: MLANet, path: Path, pairs: dict[str, str]) -> None:
    """Put an exported network's numbers into the convolutions, and shifts alone into the norms."""
    graph = onnx.load(path).graph
    arrays = {
        tensor.name.removesuffix(".half"): onnx.numpy_helper.to_array(tensor).astype(np.float32)
        for tensor in graph.initializer
    }
    names = {node.input[1]: node.input[2] for node in graph.node if node.op_type == "Conv"}
    with torch.no_grad():
        for name, module in network.named_modules():
            if not isinstance(module, nn.Conv2d):
                continue
            weight = f"{name}.weight"
            module.weight.copy_(torch.from_numpy(arrays[weight]).reshape(module.weight.shape))
            shift = torch.from_numpy(arrays[names[weight]])
            if name not in pairs:
                assert module.bias is not None
                module.bias.copy_(shift)
                continue
            if module.bias is not None:
                module.bias.zero_()
            norm = network.get_submodule(pairs[name])
            assert isinstance(norm, nn.BatchNorm2d)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)
            norm.weight.fill_(1.0)
            norm.bias.copy_(shift)


@torch.no_grad()
def calibrate(
    network: MLANet, pairs: dict[str, str], lengths: dict[str, Tensor], crops: Tensor
) -> None:
    """Give every norm the statistics of its input, and a gain and shift that undo them."""
    inputs: dict[str, tuple[Tensor, Tensor]] = {}
    handles = []
    for name, norm_name in pairs.items():
        module, norm = network.get_submodule(name), network.get_submodule(norm_name)
        assert isinstance(module, nn.Conv2d)
        length = channel_lengths(module.weight)
        module.weight.mul_(lengths[name] / length)
        norm.weight.mul_(length / lengths[name])

        def measure(_: nn.Module, __: object, output: Tensor, key: str = name) -> None:
            total, square = output.sum(dim=(0, 2, 3)), output.square().sum(dim=(0, 2, 3))
            count = torch.tensor(float(output.numel() / output.shape[1]))
            before = inputs.get(key, (torch.zeros(2, output.shape[1]), torch.zeros(())))
            inputs[key] = (before[0] + torch.stack([total, square]), before[1] + count)

        handles.append(module.register_forward_hook(measure))
    network.eval()
    for part in crops.split(64):
        network(part)
    for handle in handles:
        handle.remove()
    for name, norm_name in pairs.items():
        norm = network.get_submodule(norm_name)
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        sums, count = inputs[name]
        mean = sums[0] / count
        variance = (sums[1] / count - mean.square()).clamp(min=1e-6)
        norm.bias.add_(norm.weight * mean)
        norm.weight.mul_((variance + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)


@torch.no_grad()
def answers(network: MLANet, crops: Tensor) -> Tensor:
    """Coefficients in evaluation mode."""
    return network.eval()(crops).coefficients


def apart_from(path: Path, crops: Tensor, answers: Tensor) -> float:
    """Largest difference of a coefficient from the exported network."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found, *_ = session.run(None, {"crop": crops.contiguous().numpy()})
    return float(np.abs(found - answers.numpy()).max())


if __name__ == "__main__":
    main()
