"""The network, in torch. It knows no mesh: `CoefficientLayout` is its contract with the rest.

Names that need torch are imported on first use: configurations and the runtime do without it.
"""

from typing import TYPE_CHECKING

from mlanet.lazy import lazy_names
from mlanet.network.config import BASEL_LAYOUT, OPEN_LAYOUT, PRESETS, NetworkConfig

if TYPE_CHECKING:
    from mlanet.network.attention import CoordinateAttention
    from mlanet.network.backbone import Backbone
    from mlanet.network.backbones import BackboneEntry, BackboneStage, register_backbone
    from mlanet.network.dlib_face_net import DlibFaceNet
    from mlanet.network.fusion import AttentionalFeatureFusion, BottomUpFusion, TopDownFusion
    from mlanet.network.mlanet import Answers, MLANet
    from mlanet.network.pretrained import load_backbone_weights

__all__ = [
    "BASEL_LAYOUT",
    "OPEN_LAYOUT",
    "PRESETS",
    "Answers",
    "AttentionalFeatureFusion",
    "Backbone",
    "BackboneEntry",
    "BackboneStage",
    "BottomUpFusion",
    "CoordinateAttention",
    "DlibFaceNet",
    "MLANet",
    "NetworkConfig",
    "TopDownFusion",
    "load_backbone_weights",
    "register_backbone",
]

_HOMES = {
    "Answers": "mlanet.network.mlanet",
    "AttentionalFeatureFusion": "mlanet.network.fusion",
    "Backbone": "mlanet.network.backbone",
    "BackboneEntry": "mlanet.network.backbones",
    "BackboneStage": "mlanet.network.backbones",
    "BottomUpFusion": "mlanet.network.fusion",
    "CoordinateAttention": "mlanet.network.attention",
    "DlibFaceNet": "mlanet.network.dlib_face_net",
    "MLANet": "mlanet.network.mlanet",
    "TopDownFusion": "mlanet.network.fusion",
    "load_backbone_weights": "mlanet.network.pretrained",
    "register_backbone": "mlanet.network.backbones",
}


__getattr__ = lazy_names(__name__, _HOMES)
