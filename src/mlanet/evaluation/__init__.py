"""Protocols: run a predictor over a data set, report errors under the protocol's name."""

from mlanet.evaluation.aflw2000 import (
    MIN_IOU,
    LandmarkPredictor,
    Prediction,
    evaluate_aflw2000,
    square_roi_box,
)
from mlanet.evaluation.pictures import write_worst
from mlanet.evaluation.report import PROTOCOL, AFLW2000Report, CropSource, ImageResult

__all__ = [
    "MIN_IOU",
    "PROTOCOL",
    "AFLW2000Report",
    "CropSource",
    "ImageResult",
    "LandmarkPredictor",
    "Prediction",
    "evaluate_aflw2000",
    "square_roi_box",
    "write_worst",
]
