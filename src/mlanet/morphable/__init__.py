"""Face models: the embedded one and the class that holds any of them."""

from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.linear import LinearShape, linear_combination
from mlanet.morphable.model import MorphableModel
from mlanet.morphable.native import save_model
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.reading import read_model

__all__ = [
    "Correspondence",
    "LinearShape",
    "MorphableModel",
    "Provenance",
    "linear_combination",
    "read_model",
    "save_model",
]
