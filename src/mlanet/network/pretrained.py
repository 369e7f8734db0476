"""A classifier's published weights, with which training starts a network's backbone."""

from pathlib import Path

import torch
from torch import Tensor

from mlanet.errors import AssetError
from mlanet.network.attention import CoordinateAttention
from mlanet.network.mlanet import MLANet


def load_backbone_weights(network: MLANet, path: Path) -> None:
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
