"""What a network consists of; every ablation of the paper is a field."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias, get_args

from mlanet.coefficients import CoefficientLayout
from mlanet.errors import ConfigurationError
from mlanet.files import PARSER_ERRORS, one_line

Attention: TypeAlias = Literal["none", "coordinate"]
Fusion: TypeAlias = Literal["none", "bottom-up", "top-down"]

OPEN_LAYOUT = CoefficientLayout(identity=100, expression=52, albedo=21, rotation="6d")
"""Coefficients of the embedded face model."""

BASEL_LAYOUT = CoefficientLayout(identity=80, expression=64, albedo=80, rotation="euler")
"""Coefficients of Basel 2009 with FaceWarehouse expressions, as the paper counts them: 257."""


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Configuration of `MLANet`; presets are instances (`PRESETS`).

    Attributes:
        backbone: name of the hierarchical backbone in the table of `mlanet.network.backbones`.
        attention: level 1, inside the backbone's blocks.
        fusion: level 2, between the stages.
        layout: the coefficients to regress.
        input_size: side of the crop in pixels.
        bounded_expression: clamp expression coefficients to [0, 1], for models whose
            expressions are blend-shape weights.
        mean: RGB mean that the backbone was pre-trained with.
        std: RGB standard deviation likewise.
        uncertainty: one head more says how far the landmarks may be off (`MLANet`); networks
            without it have no confidence.
    """

    backbone: str = "mobilenetv2_100"
    attention: Attention = "coordinate"
    fusion: Fusion = "bottom-up"
    layout: CoefficientLayout = OPEN_LAYOUT
    input_size: int = 128
    bounded_expression: bool = True
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    uncertainty: bool = False

    def __post_init__(self) -> None:
        kinds = {"attention": Attention, "fusion": Fusion}
        for name, kind in kinds.items():
            if getattr(self, name) not in get_args(kind):
                known = ", ".join(get_args(kind))
                raise ConfigurationError(f"{name}: {getattr(self, name)!r} is none of {known}")
        if self.input_size < 32 or self.input_size % 32:
            raise ConfigurationError(
                f"input_size must be a positive multiple of 32, got {self.input_size}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "NetworkConfig":
        """The inverse of `as_dict`.

        Raises:
            ConfigurationError: a field is unknown or malformed.
        """
        try:
            known = dict(values)
            known["layout"] = CoefficientLayout(**known["layout"])
            known["mean"], known["std"] = tuple(known["mean"]), tuple(known["std"])
            return cls(**known)
        except PARSER_ERRORS as error:
            raise ConfigurationError(f"not a network configuration: {one_line(error)}") from error


PRESETS: dict[str, NetworkConfig] = {
    "mobile": NetworkConfig(),
    "large": NetworkConfig(backbone="resnet50", input_size=224),
    "paper": NetworkConfig(
        backbone="resnet50", layout=BASEL_LAYOUT, input_size=224, bounded_expression=False
    ),
    "small": NetworkConfig(backbone="mobilenetv2_050", input_size=64),
}
"""`mobile` ships; `large` predicts the same coefficients with ResNet-50 and was never trained to
its end (docs/how-to/train-gpu.md has the recipe); `paper` has the architecture of arXiv
2509.10024; `small`
is for ablations on a CPU.

All read the pose as `mlanet.geometry.decode_pose` does: the paper's code regresses a translation
in decimetres and angles of another order.
"""
