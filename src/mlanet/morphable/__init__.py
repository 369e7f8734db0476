"""Face models: the embedded one and the class that holds any of them."""

from mlanet.morphable.albedo import AlbedoModel
from mlanet.morphable.linear import LinearShape, linear_combination
from mlanet.morphable.model import MorphableModel, read_model

__all__ = ["AlbedoModel", "LinearShape", "MorphableModel", "linear_combination", "read_model"]
