"""One report for all protocols: tables, curves, pictures; printed, written, read, compared."""

from mlanet.evaluation.reporting.page import Page, PictureGrid, PictureRow
from mlanet.evaluation.reporting.plots import Line, Plot, cumulative_plot
from mlanet.evaluation.reporting.report import Protocol, Report
from mlanet.evaluation.reporting.table import Cell, Column, Table, number, text_table

__all__ = [
    "Cell",
    "Column",
    "Line",
    "Page",
    "PictureGrid",
    "PictureRow",
    "Plot",
    "Protocol",
    "Report",
    "Table",
    "cumulative_plot",
    "number",
    "text_table",
]
