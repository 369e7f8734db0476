"""mlanet: one ordinary photo in, a textured 3D face out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    """Import public names on first use, so that `import mlanet` stays instant."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mlanet' has no attribute {name!r}")
