"""The network: backbone, attention, fusion, seven heads, and one that says how sure it is."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mlanet.coefficients import NUM_LIGHTING
from mlanet.geometry import FRONTAL_6D
from mlanet.network.backbone import Backbone
from mlanet.network.config import NetworkConfig
from mlanet.network.fusion import BottomUpFusion, TopDownFusion

NUM_LANDMARKS = 68

START_DEVIATION_PERCENT = 3.0
"""Deviation of each landmark that an untrained head of the uncertainty answers."""

_FUSIONS = {"bottom-up": BottomUpFusion, "top-down": TopDownFusion}


class Answers(NamedTuple):
    """What the network says of crops.

    Attributes:
        coefficients: vectors in the order of the layout.
        log_variances: natural logarithm of the variance of each landmark's x and of its y (one
            number for both), in (per cent of the face's size)²; the size is the root of the area
            of the landmarks' bounding box. None of a network without that head.
    """

    coefficients: Float[Tensor, "b n"]
    log_variances: Float[Tensor, "b 68"] | None


class MLANet(nn.Module):
    """Regresses the coefficient vector of a morphable model from a face crop.

    arXiv 2509.10024: hierarchical backbone, coordinate attention in its blocks, attentional
    fusion of its stages, global average pooling, seven zero-initialised 1x1 heads (fewer for face
    models without albedo or expressions).

    With `config.uncertainty` an eighth head gives a variance of each of the 68 landmarks (Wood et
    al., "3D Face Reconstruction with Dense Landmarks", ECCV 2022). It reads the pooled features
    detached: its training never changes the coefficients, so that it can be trained beside them or
    on a network that is finished.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        channels = self.backbone.channels
        fusion = None if config.fusion == "none" else _FUSIONS[config.fusion](channels)
        self.fusion = fusion
        num_features = channels[-1] if fusion is None else fusion.num_features
        layout = config.layout
        sizes = {
            "identity": layout.identity,
            "expression": layout.expression,
            "albedo": layout.albedo,
            "rotation": layout.num_rotation,
            "shift": 2,
            "depth": 1,
            "lighting": NUM_LIGHTING,
        }
        self.heads = nn.ModuleDict(
            {name: nn.Conv2d(num_features, size, 1) for name, size in sizes.items() if size}
        )
        for head in self.heads.values():
            for parameter in head.parameters():
                nn.init.zeros_(parameter)
        if layout.rotation == "6d":  # the frontal rotation: a zero vector has no direction
            bias = self.heads["rotation"].get_parameter("bias")
            bias.data.copy_(torch.tensor(FRONTAL_6D))
        self.uncertainty = nn.Conv2d(num_features, NUM_LANDMARKS, 1) if config.uncertainty else None
        if self.uncertainty is not None:
            nn.init.zeros_(self.uncertainty.weight)
            bias = self.uncertainty.get_parameter("bias")
            nn.init.constant_(bias, 2.0 * math.log(START_DEVIATION_PERCENT))
        self.register_buffer("mean", torch.tensor(config.mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(config.std)[:, None, None], persistent=False)

    def forward(self, crop: Float[Tensor, "b 3 s s"]) -> Answers:
        """What the network says of RGB crops in [0, 1]."""
        x = (crop - self.mean) / self.std
        stages = self.backbone(x)
        maps = stages[-1:] if self.fusion is None else self.fusion(stages)
        if torch.is_autocast_enabled(crop.device.type):
            # 16 bits are too few for the answers: a step of bfloat16 is half a degree of rotation.
            with torch.autocast(crop.device.type, enabled=False):
                return self.regress([each.float() for each in maps])
        return self.regress(maps)

    def regress(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> Answers:
        """What the heads say of the means of feature maps over the crop."""
        pooled = torch.cat([each.mean(dim=(2, 3), keepdim=True) for each in maps], dim=1)
        parts = {name: head(pooled).flatten(1) for name, head in self.heads.items()}
        if self.config.bounded_expression and "expression" in parts:
            parts["expression"] = bounded(parts["expression"])
        head = self.uncertainty
        log_variances = None if head is None else head(pooled.detach()).flatten(1)
        return Answers(torch.cat(list(parts.values()), dim=1), log_variances)


def bounded(values: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Clamp to [0, 1]; where the clamp acts, gradients that lead back inside still pass."""
    return _Clamp.apply(values) if values.requires_grad else values.clamp(0.0, 1.0)


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return values.clamp(0.0, 1.0)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        gradient = grads[0]
        outward = ((values <= 0.0) & (gradient > 0.0)) | ((values >= 1.0) & (gradient < 0.0))
        return torch.where(outward, torch.zeros_like(gradient), gradient)
