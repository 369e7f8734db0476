"""mlanet: one ordinary photo in, a textured 3D face out."""

from typing import TYPE_CHECKING

from mlanet.lazy import lazy_names
from mlanet.version import __version__

if TYPE_CHECKING:
    from mlanet.coefficients import CoefficientLayout, Coefficients
    from mlanet.errors import MlanetError
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor

__all__ = [
    "CoefficientLayout",
    "Coefficients",
    "MlanetError",
    "Reconstruction",
    "Reconstructor",
    "__version__",
]

_HOMES = {
    "CoefficientLayout": "mlanet.coefficients",
    "Coefficients": "mlanet.coefficients",
    "MlanetError": "mlanet.errors",
    "Reconstruction": "mlanet.reconstruction",
    "Reconstructor": "mlanet.reconstructor",
}


__getattr__ = lazy_names(__name__, _HOMES)
