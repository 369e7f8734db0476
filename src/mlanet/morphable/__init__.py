"""Face models: the embedded one and the class that holds any of them."""

from mlanet.morphable.albedo import AlbedoModel
from mlanet.morphable.closed_lids import ClosedLids, EyeLids, closed_lids
from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.fitted_shape import FittedShape
from mlanet.morphable.gaze import eye_rotations
from mlanet.morphable.linear import LinearShape, linear_combination
from mlanet.morphable.model import FACE_REGIONS, MorphableModel
from mlanet.morphable.native import save_model
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.readers.assemble import Parts, assemble
from mlanet.morphable.readers.formats import FaceModelFormat, Signature, register_format
from mlanet.morphable.reading import load_model, read_model
from mlanet.morphable.transfer import Transfer, connect

__all__ = [
    "FACE_REGIONS",
    "AlbedoModel",
    "ClosedLids",
    "Correspondence",
    "EyeLids",
    "FaceModelFormat",
    "FittedShape",
    "LinearShape",
    "MorphableModel",
    "Parts",
    "Provenance",
    "Signature",
    "Transfer",
    "assemble",
    "closed_lids",
    "connect",
    "eye_rotations",
    "linear_combination",
    "load_model",
    "read_model",
    "register_format",
    "save_model",
]
