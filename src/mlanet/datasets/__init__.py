"""Samples: readers of annotated faces. NumPy, Pillow and SciPy only."""

from mlanet.datasets.aflw2000 import AFLW2000, AFLW2000Annotations, AFLW2000Parameters
from mlanet.datasets.archive import TarIndex
from mlanet.datasets.crops import FaceCrops
from mlanet.datasets.sample import Sample, decode_image

__all__ = [
    "AFLW2000",
    "AFLW2000Annotations",
    "AFLW2000Parameters",
    "FaceCrops",
    "Sample",
    "TarIndex",
    "decode_image",
]
