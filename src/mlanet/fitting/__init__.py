"""Fitting a face model to what is seen of a face. NumPy only."""

from mlanet.fitting.landmarks import FittingConfig, LandmarkFit, fit_landmarks
from mlanet.fitting.views import CropView, OrthographicView, View

__all__ = [
    "CropView",
    "FittingConfig",
    "LandmarkFit",
    "OrthographicView",
    "View",
    "fit_landmarks",
]
