"""The backbone of a network: four stages, with attention placed inside their blocks."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from mlanet.errors import ConfigurationError
from mlanet.network.backbones import backbone_entry
from mlanet.network.config import NetworkConfig


class Backbone(nn.Module):
    """Features of four stages, strides 4, 8, 16 and 32, finest first, of any entry of the table.

    Raises:
        ConfigurationError: there is no such backbone, or it has no place for attention.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        entry = backbone_entry(config.backbone)
        self.body = entry.build()
        self.stages = entry.stages
        self.channels = [stage.channels for stage in entry.stages]
        if config.attention == "coordinate":
            if entry.place_attention is None:
                raise ConfigurationError(
                    f"attention: the backbone {config.backbone} has no place for it: none"
                )
            entry.place_attention(self.body)

    def forward(self, x: Float[Tensor, "b 3 s s"]) -> Sequence[Float[Tensor, "b _ _ _"]]:
        """Feature maps of the four stages."""
        return self.body(x)

    def first_stages(self, count: int) -> list[nn.Module]:
        """The layers with weights of the stem and of the first `count` stages, in order."""
        if count == 0:
            return []
        last = self.stages[count - 1].last_module
        layers = [
            (name, module)
            for name, module in self.body.named_modules()
            if next(module.parameters(recurse=False), None) is not None
        ]
        end = max(k for k, (name, _) in enumerate(layers) if f"{name}.".startswith(f"{last}."))
        return [module for _, module in layers[: end + 1]]
