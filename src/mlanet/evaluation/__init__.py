"""Protocols: run a predictor over a data set, report errors under the protocol's name.

Each protocol is a package below this one; here is what reports are made of and compared by, and how
faces that any method found are scored on AFLW2000-3D.
"""

from mlanet.evaluation.aflw2000.predictions import FacePrediction, Predictions
from mlanet.evaluation.aflw2000.report import aflw2000_report
from mlanet.evaluation.aflw2000.scoring import NetworkSource, score_aflw2000
from mlanet.evaluation.reporting import Column, Protocol, Report, Table
from mlanet.evaluation.reporting.compare import comparison_page, load_runs

__all__ = [
    "Column",
    "FacePrediction",
    "NetworkSource",
    "Predictions",
    "Protocol",
    "Report",
    "Table",
    "aflw2000_report",
    "comparison_page",
    "load_runs",
    "score_aflw2000",
]
