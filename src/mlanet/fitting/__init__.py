"""Fitting a face model to what is seen of a face.

Landmark fits and `refine_face` are NumPy only. Names that need torch are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlanet.fitting.landmark_fit import fit_to_landmarks
from mlanet.fitting.landmarks import (
    ExpressionPrior,
    FittingConfig,
    LandmarkFit,
    RotationPrior,
    fit_landmarks,
)
from mlanet.fitting.pixel_fit import (
    PixelFitConfig,
    can_be_refined,
    refine_face,
    refine_if_possible,
    refine_person,
)
from mlanet.fitting.views import CropView, OrthographicView, View

if TYPE_CHECKING:
    from mlanet.fitting.refinement import RefinementConfig, photo_error, refine

__all__ = [
    "CropView",
    "ExpressionPrior",
    "FittingConfig",
    "LandmarkFit",
    "OrthographicView",
    "PixelFitConfig",
    "RefinementConfig",
    "RotationPrior",
    "View",
    "can_be_refined",
    "fit_landmarks",
    "fit_to_landmarks",
    "photo_error",
    "refine",
    "refine_face",
    "refine_if_possible",
    "refine_person",
]

_NEED_TORCH = ("RefinementConfig", "photo_error", "refine")


def __getattr__(name: str) -> Any:
    """Import names that need torch on first use."""
    if name in _NEED_TORCH:
        return getattr(import_module("mlanet.fitting.refinement"), name)
    raise AttributeError(f"module 'mlanet.fitting' has no attribute {name!r}")
