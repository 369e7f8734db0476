"""Protocols: run a predictor over a data set, report errors under the protocol's name."""

from mlanet.evaluation.aflw2000 import (
    MIN_IOU,
    LandmarkPredictor,
    NetworkSource,
    Prediction,
    evaluate_aflw2000,
    only_named,
    score_aflw2000,
    square_roi_box,
)
from mlanet.evaluation.dense import DenseErrors, DenseProtocol
from mlanet.evaluation.groups import SkinTone
from mlanet.evaluation.now import NowImage, read_image_list, write_now
from mlanet.evaluation.predictions import FacePrediction, Predictions
from mlanet.evaluation.presentation import write_report
from mlanet.evaluation.realy import read_pictures, write_realy
from mlanet.evaluation.report import PROTOCOL, AFLW2000Report, CropSource, ImageResult
from mlanet.evaluation.side_by_side import (
    comparison_page,
    differences_table,
    figures_table,
    load_runs,
    versions_table,
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
    "NowImage",
    "Prediction",
    "Predictions",
    "SkinTone",
    "comparison_page",
    "differences_table",
    "evaluate_aflw2000",
    "figures_table",
    "load_runs",
    "only_named",
    "read_image_list",
    "read_pictures",
    "score_aflw2000",
    "square_roi_box",
    "versions_table",
    "write_now",
    "write_realy",
    "write_report",
]
