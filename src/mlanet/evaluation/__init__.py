"""Protocols: run a predictor over a data set, report errors under the protocol's name."""

from mlanet.evaluation.aflw2000.dense import DenseErrors, DenseProtocol
from mlanet.evaluation.aflw2000.framing import (
    MIN_IOU,
    CropSource,
    LandmarkPredictor,
    Prediction,
    square_roi_box,
)
from mlanet.evaluation.aflw2000.groups import SkinTone
from mlanet.evaluation.aflw2000.pictures import FacePictures
from mlanet.evaluation.aflw2000.predictions import FacePrediction, Predictions, predictions_of
from mlanet.evaluation.aflw2000.report import aflw2000_report
from mlanet.evaluation.aflw2000.results import ImageResult
from mlanet.evaluation.aflw2000.scoring import (
    NetworkSource,
    evaluate_aflw2000,
    only_named,
    score_aflw2000,
)
from mlanet.evaluation.reporting import Column, Protocol, Report, Table
from mlanet.evaluation.reporting.compare import (
    comparison_page,
    differences_table,
    figures_table,
    load_runs,
    versions_table,
)
from mlanet.evaluation.submissions.now import NowImage, read_image_list, write_now
from mlanet.evaluation.submissions.realy import read_pictures, write_realy

__all__ = [
    "MIN_IOU",
    "Column",
    "CropSource",
    "DenseErrors",
    "DenseProtocol",
    "FacePictures",
    "FacePrediction",
    "ImageResult",
    "LandmarkPredictor",
    "NetworkSource",
    "NowImage",
    "Prediction",
    "Predictions",
    "Protocol",
    "Report",
    "SkinTone",
    "Table",
    "aflw2000_report",
    "comparison_page",
    "differences_table",
    "evaluate_aflw2000",
    "figures_table",
    "load_runs",
    "only_named",
    "predictions_of",
    "read_image_list",
    "read_pictures",
    "score_aflw2000",
    "square_roi_box",
    "versions_table",
    "write_now",
    "write_realy",
]
