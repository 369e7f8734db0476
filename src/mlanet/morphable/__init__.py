"""Face models: the embedded one and the class that holds any of them."""

from typing import TYPE_CHECKING

from mlanet.lazy import lazy_names
from mlanet.morphable.closed_lids import ClosedLids, EyeLids, closed_lids
from mlanet.morphable.correspondence import Correspondence
from mlanet.morphable.linear import LinearShape, linear_combination
from mlanet.morphable.model import FACE_REGIONS, MorphableModel
from mlanet.morphable.native import save_model
from mlanet.morphable.provenance import Provenance
from mlanet.morphable.reading import load_model, read_model

if TYPE_CHECKING:
    from mlanet.morphable.albedo import AlbedoModel
    from mlanet.morphable.fitted_shape import FittedShape
    from mlanet.morphable.gaze import eye_rotations
    from mlanet.morphable.readers.assemble import Parts, assemble
    from mlanet.morphable.readers.formats import FaceModelFormat, Signature, register_format
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

_HOMES = {
    "AlbedoModel": "mlanet.morphable.albedo",
    "FaceModelFormat": "mlanet.morphable.readers.formats",
    "FittedShape": "mlanet.morphable.fitted_shape",
    "Parts": "mlanet.morphable.readers.assemble",
    "Signature": "mlanet.morphable.readers.formats",
    "Transfer": "mlanet.morphable.transfer",
    "assemble": "mlanet.morphable.readers.assemble",
    "connect": "mlanet.morphable.transfer",
    "eye_rotations": "mlanet.morphable.gaze",
    "register_format": "mlanet.morphable.readers.formats",
}
"""What the embedded face model does without."""

__getattr__ = lazy_names(__name__, _HOMES)
