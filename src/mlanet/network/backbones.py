"""The table of backbones; `register_backbone` adds one from outside the package."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from torch import nn

from mlanet.errors import ConfigurationError, did_you_mean
from mlanet.network.attention import CoordinateAttention


@dataclass(frozen=True, slots=True)
class BackboneStage:
    """One of the four stages of a backbone.

    Attributes:
        last_module: name of the last module of the stage, below the backbone.
        channels: of its feature map.
    """

    last_module: str
    channels: int


@dataclass(frozen=True, slots=True)
class BackboneEntry:
    """A hierarchical backbone that a network may have.

    Attributes:
        build: makes the module with random weights; of RGB crops (b, 3, s, s), standardised, it
            gives four feature maps (b, c, s/k, s/k) with k = 4, 8, 16, 32, in this order.
        stages: these four.
        licence: of the published weights that training starts from.
        source: where these weights are obtained.
        place_attention: puts coordinate attention into the blocks; None: it has no place for it.
    """

    build: Callable[[], nn.Module]
    stages: tuple[BackboneStage, BackboneStage, BackboneStage, BackboneStage]
    licence: str
    source: str
    place_attention: Callable[[nn.Module], None] | None = None


def register_backbone(name: str, entry: BackboneEntry) -> None:
    """Let `NetworkConfig.backbone` name a backbone of yours, in this process.

    Raises:
        ConfigurationError: the name is taken.
    """
    if name in BACKBONES:
        raise ConfigurationError(f"backbone: the name {name!r} is taken")
    BACKBONES[name] = entry


def backbone_entry(name: str) -> BackboneEntry:
    """The backbone of a name.

    Raises:
        ConfigurationError: there is none; the message lists them.
    """
    if name not in BACKBONES:
        hint = did_you_mean(name, BACKBONES)
        raise ConfigurationError(f"backbone: {name!r} is none of {', '.join(BACKBONES)}{hint}")
    return BACKBONES[name]


def timm_features(name: str) -> nn.Module:
    """The four last feature maps of one of timm's classifiers."""
    import timm

    return timm.create_model(name, pretrained=False, features_only=True, out_indices=(1, 2, 3, 4))


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


def _mobilenet(name: str, channels: tuple[int, int, int, int]) -> BackboneEntry:
    first, second, third, fourth = channels
    return BackboneEntry(
        build=partial(timm_features, name),
        stages=(
            BackboneStage("blocks.1", first),
            BackboneStage("blocks.2", second),
            BackboneStage("blocks.4", third),
            BackboneStage("blocks.6", fourth),
        ),
        licence="BSD-3-Clause (torchvision), Apache-2.0 (timm); trained on ImageNet",
        source="assets/backbone.py (torchvision's mobilenet_v2, of full width), or timm",
        place_attention=_place_in_inverted_residuals,
    )


BACKBONES: dict[str, BackboneEntry] = {
    "mobilenetv2_050": _mobilenet("mobilenetv2_050", (16, 16, 48, 160)),
    "mobilenetv2_100": _mobilenet("mobilenetv2_100", (24, 32, 96, 320)),
    "resnet50": BackboneEntry(
        build=partial(timm_features, "resnet50"),
        stages=(
            BackboneStage("layer1", 256),
            BackboneStage("layer2", 512),
            BackboneStage("layer3", 1024),
            BackboneStage("layer4", 2048),
        ),
        licence="BSD-3-Clause (torchvision), Apache-2.0 (timm); trained on ImageNet",
        source="torchvision's resnet50, or timm",
        place_attention=_place_in_bottlenecks,
    ),
}
"""Backbones by the name that `NetworkConfig.backbone` has."""
