"""Level 1: coordinate attention inside the backbone's blocks."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

REDUCTION = 32
MIN_HIDDEN = 8


class CoordinateAttention(nn.Module):
    """Gates a feature map by what its rows and its columns hold.

    Hou et al., "Coordinate Attention for Efficient Mobile Network Design", CVPR 2021: average
    over each axis, a shared 1x1 convolution with h-swish, one gate for each axis. A drop-in
    layer: the shape stays. The gates of both axes are multiplied.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(MIN_HIDDEN, channels // REDUCTION)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.norm = nn.BatchNorm2d(hidden)
        self.act = nn.Hardswish()
        self.rows = nn.Conv2d(hidden, channels, 1)
        self.columns = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """The gated feature map."""
        height, width = x.shape[-2:]
        by_row = x.mean(dim=3, keepdim=True)
        by_column = x.mean(dim=2, keepdim=True).transpose(2, 3)
        both = self.act(self.norm(self.squeeze(torch.cat([by_row, by_column], dim=2))))
        row_part, column_part = torch.split(both, [height, width], dim=2)
        row_gate = self.rows(row_part).sigmoid()
        column_gate = self.columns(column_part.transpose(2, 3)).sigmoid()
        return x * row_gate * column_gate
