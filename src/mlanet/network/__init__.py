"""The network, in torch. It knows no mesh: `CoefficientLayout` is its contract with the rest."""

from mlanet.network.attention import CoordinateAttention
from mlanet.network.backbone import Backbone, load_backbone_weights
from mlanet.network.config import BASEL_LAYOUT, OPEN_LAYOUT, PRESETS, NetworkConfig
from mlanet.network.fusion import AttentionalFeatureFusion, BottomUpFusion
from mlanet.network.mlanet import MLANet

__all__ = [
    "BASEL_LAYOUT",
    "OPEN_LAYOUT",
    "PRESETS",
    "AttentionalFeatureFusion",
    "Backbone",
    "BottomUpFusion",
    "CoordinateAttention",
    "MLANet",
    "NetworkConfig",
    "load_backbone_weights",
]
