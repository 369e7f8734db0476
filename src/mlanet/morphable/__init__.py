"""Face models: the embedded one and the class that holds any of them."""

from mlanet.morphable.albedo import AlbedoModel
from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.fitted_shape import FittedShape
from mlanet.morphable.linear import LinearShape, linear_combination
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import save_model
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.reading import read_model
from mlanet.morphable.transfer import Transfer, connect

__all__ = [
    "AlbedoModel",
    "Correspondence",
    "FittedShape",
    "LinearShape",
    "MorphableModel",
    "Provenance",
    "Transfer",
    "connect",
    "linear_combination",
    "read_model",
    "save_model",
]
