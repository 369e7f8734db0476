"""The network, in torch. It knows no mesh: `CoefficientLayout` is its contract with the rest.

Names that need torch are imported on first use: configurations and the runtime do without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlanet.network.config import BASEL_LAYOUT, OPEN_LAYOUT, PRESETS, NetworkConfig

if TYPE_CHECKING:
    from mlanet.network.attention import CoordinateAttention
    from mlanet.network.backbone import Backbone, load_backbone_weights
    from mlanet.network.dlib_face_net import DlibFaceNet
    from mlanet.network.fusion import AttentionalFeatureFusion, BottomUpFusion, TopDownFusion
    from mlanet.network.mlanet import MLANet

__all__ = [
    "BASEL_LAYOUT",
    "OPEN_LAYOUT",
    "PRESETS",
    "AttentionalFeatureFusion",
    "Backbone",
    "BottomUpFusion",
    "CoordinateAttention",
    "DlibFaceNet",
    "MLANet",
    "NetworkConfig",
    "TopDownFusion",
    "load_backbone_weights",
]

_HOMES = {
    "AttentionalFeatureFusion": "mlanet.network.fusion",
    "Backbone": "mlanet.network.backbone",
    "BottomUpFusion": "mlanet.network.fusion",
    "CoordinateAttention": "mlanet.network.attention",
    "DlibFaceNet": "mlanet.network.dlib_face_net",
    "MLANet": "mlanet.network.mlanet",
    "TopDownFusion": "mlanet.network.fusion",
    "load_backbone_weights": "mlanet.network.backbone",
}


def __getattr__(name: str) -> Any:
    """Import names that need torch on first use."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlanet.network' has no attribute {name!r}")
