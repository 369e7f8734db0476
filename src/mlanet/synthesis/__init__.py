"""Making labelled faces: rendered heads and turned photos. NumPy and OpenCV only."""

from mlanet.synthesis.backgrounds import BackgroundPhotos
from mlanet.synthesis.expressions import random_expression
from mlanet.synthesis.heads import HeadsConfig, RenderedHeads
from mlanet.synthesis.lighting import random_lighting
from mlanet.synthesis.profiles import FittedFace, ProfiledFaces, fit_face, turn_face
from mlanet.synthesis.writing import SampleSequence, Written, write_samples

__all__ = [
    "BackgroundPhotos",
    "FittedFace",
    "HeadsConfig",
    "ProfiledFaces",
    "RenderedHeads",
    "SampleSequence",
    "Written",
    "fit_face",
    "random_expression",
    "random_lighting",
    "turn_face",
    "write_samples",
]
