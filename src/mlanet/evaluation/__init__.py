"""Protocols: run a predictor over a data set, report errors under the protocol's name."""

from mlanet.evaluation.aflw2000 import (
    MIN_IOU,
    LandmarkPredictor,
    NetworkSource,
    Prediction,
    evaluate_aflw2000,
    score_aflw2000,
    square_roi_box,
)
from mlanet.evaluation.dense import DenseErrors, DenseProtocol
from mlanet.evaluation.groups import SkinTone
from mlanet.evaluation.predictions import FacePrediction, Predictions
from mlanet.evaluation.presentation import write_report
from mlanet.evaluation.report import PROTOCOL, AFLW2000Report, CropSource, ImageResult
from mlanet.evaluation.side_by_side import (
    comparison_markdown,
    differences_table,
    figures_table,
    load_runs,
)

__all__ = [
    "MIN_IOU",
    "PROTOCOL",
    "AFLW2000Report",
    "CropSource",
    "DenseErrors",
    "DenseProtocol",
    "FacePrediction",
    "ImageResult",
    "LandmarkPredictor",
    "NetworkSource",
    "Prediction",
    "Predictions",
    "SkinTone",
    "comparison_markdown",
    "differences_table",
    "evaluate_aflw2000",
    "figures_table",
    "load_runs",
    "score_aflw2000",
    "square_roi_box",
    "write_report",
]
