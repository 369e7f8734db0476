"""Hierarchical backbones of four stages, with attention placed inside their blocks."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from mlanet.errors import AssetError
from mlanet.network.attention import CoordinateAttention
from mlanet.network.config import NetworkConfig

if TYPE_CHECKING:
    from mlanet.network.mlanet import MLANet


class Backbone(nn.Module):
    """timm's features of four stages, strides 4, 8, 16 and 32, finest first."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        import timm

        self.body: nn.Module = timm.create_model(
            config.backbone, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4)
        )
        info = cast(Any, self.body).feature_info
        self.channels: list[int] = info.channels()
        if config.attention == "coordinate":
            _PLACERS[config.backbone](self.body)

    def forward(self, x: Tensor) -> Sequence[Tensor]:
        """Feature maps of the four stages."""
        return self.body(x)

    def first_stages(self, count: int) -> list[nn.Module]:
        """The layers with weights of the stem and of the first `count` stages, in order."""
        if count == 0:
            return []
        last = cast(Any, self.body).feature_info.module_name()[count - 1]
        layers = [
            (name, module)
            for name, module in self.body.named_modules()
            if next(module.parameters(recurse=False), None) is not None
        ]
        end = max(k for k, (name, _) in enumerate(layers) if f"{name}.".startswith(f"{last}."))
        return [module for _, module in layers[: end + 1]]


def _place_in_bottlenecks(body: nn.Module) -> None:
    """On the 3x3 convolution's output, before its batch norm, in all 16 bottlenecks."""
    from timm.models.resnet import Bottleneck

    for module in body.modules():
        if isinstance(module, Bottleneck):
            channels = module.conv2.out_channels
            module.add_module("conv2", nn.Sequential(module.conv2, CoordinateAttention(channels)))


def _place_in_inverted_residuals(body: nn.Module) -> None:
    """After depth-wise convolution, norm and activation in the ten blocks with a shortcut.

    As in Hou et al. (2021), the gate sits on the expanded features before the projection. The
    six blocks that change resolution or width stay plain.
    """
    from timm.models._efficientnet_blocks import InvertedResidual

    for module in body.modules():
        if isinstance(module, InvertedResidual) and module.has_skip:
            module.se = CoordinateAttention(cast(nn.BatchNorm2d, module.bn2).num_features)


_PLACERS = {
    "resnet50": _place_in_bottlenecks,
    "mobilenetv2_050": _place_in_inverted_residuals,
    "mobilenetv2_100": _place_in_inverted_residuals,
}


def load_backbone_weights(network: "MLANet", path: Path) -> None:
    """Copy a classifier's weights (a state dict in `.pth`) into a network's backbone, in order.

    The file's tensors must be those of the plain backbone in the same order (torchvision's and
    timm's MobileNetV2 and ResNet-50 are); the classifier at the end is left out.

    Raises:
        AssetError: the file is unreadable or holds another architecture.
    """
    try:
        source = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise AssetError(f"{path}: not a state dict of tensors ({type(error).__name__})") from error
    if not isinstance(source, dict) or not all(isinstance(v, Tensor) for v in source.values()):
        raise AssetError(f"{path}: not a state dict of tensors")
    body = network.backbone.body
    attention = tuple(
        name for name, module in body.named_modules() if isinstance(module, CoordinateAttention)
    )
    target = {
        name: tensor
        for name, tensor in body.state_dict().items()
        if not any(name.startswith(f"{prefix}.") for prefix in attention)
    }
    values = list(source.values())[: len(target)]
    shapes = [tuple(value.shape) for value in values]
    if shapes != [tuple(tensor.shape) for tensor in target.values()]:
        raise AssetError(f"{path}: the tensors are not those of the backbone")
    body.load_state_dict(dict(zip(target, values, strict=True)), strict=False)
