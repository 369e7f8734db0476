"""Level 2: attentional fusion between the stages of the backbone."""

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

REDUCTION = 4


def _context(channels: int, *, pooled: bool) -> nn.Sequential:
    hidden = max(1, channels // REDUCTION)
    layers: list[nn.Module] = [nn.AdaptiveAvgPool2d(1)] if pooled else []
    layers += [
        nn.Conv2d(channels, hidden, 1),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, channels, 1),
        nn.BatchNorm2d(channels),
    ]
    return nn.Sequential(*layers)


class AttentionalFeatureFusion(nn.Module):
    """Weighs two feature maps against each other, place by place and channel by channel.

    Dai et al., "Attentional Feature Fusion", WACV 2021: with s = x + r and
    w = sigmoid(local(s) + global(s)) the output is 2·x·w + 2·r·(1 − w).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.local = _context(channels, pooled=False)
        self.whole = _context(channels, pooled=True)

    def forward(
        self, x: Float[Tensor, "b c h w"], residual: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b c h w"]:
        """The fused map."""
        both = x + residual
        weight = (self.local(both) + self.whole(both)).sigmoid()
        return 2.0 * x * weight + 2.0 * residual * (1.0 - weight)


class BottomUpFusion(nn.Module):
    """Carries the finer stages' detail up: f2 = AFF(C2, D(C1)), f3 = AFF(C3, D(f2)), ...

    D is a 1x1 convolution of stride 2 that matches the next stage. The heads see f4 alone.

    Attributes:
        num_features: channels of all maps that `forward` returns.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise(channels))
        self.num_features = channels[-1]
        self.down = nn.ModuleList(nn.Conv2d(low, high, 1, stride=2) for low, high in pairs)
        self.fuse = nn.ModuleList(AttentionalFeatureFusion(high) for _, high in pairs)

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """The last, fused feature map (b, channels[-1], h, w) of the finest-first stages."""
        fused = stages[0]
        for down, fuse, stage in zip(self.down, self.fuse, stages[1:], strict=True):
            fused = fuse(stage, down(fused))
        return [fused]


class TopDownFusion(nn.Module):
    """Carries the coarser stages' context down: t3 = AFF(C3, U(C4)), t2 = AFF(C2, U(t3)), ...

    The mirror image of `BottomUpFusion` with the same attentional fusion, and the path of a
    feature pyramid (Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017):
    U is a 1x1 convolution to the finer stage's channels and an enlargement by two, nearest
    neighbour. As in a pyramid every level is an output: the finest alone has so few channels
    that the heads would be starved, so they see the averages of C4, t3, t2 and t1 side by side.
    The paper names a top-down variant without defining it; this is our reading.

    Attributes:
        num_features: channels of all maps that `forward` returns.
    """

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        pairs = list(pairwise(reversed(channels)))
        self.num_features = sum(channels)
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(high, low, 1), nn.Upsample(scale_factor=2.0))
            for high, low in pairs
        )
        self.fuse = nn.ModuleList(AttentionalFeatureFusion(low) for _, low in pairs)

    def forward(self, stages: Sequence[Tensor]) -> list[Tensor]:
        """The levels of the pyramid, coarsest first, of the finest-first stages."""
        levels = [stages[-1]]
        for up, fuse, stage in zip(self.up, self.fuse, reversed(stages[:-1]), strict=True):
            levels.append(fuse(stage, up(levels[-1])))
        return levels
