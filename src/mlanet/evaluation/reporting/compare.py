"""Reports of one protocol side by side, and how far their differences may be chance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mlanet.errors import DataError
from mlanet.evaluation.reporting.page import Page
from mlanet.evaluation.reporting.plots import Plot, cumulative_plot
from mlanet.evaluation.reporting.report import Report
from mlanet.evaluation.reporting.table import Cell, Column, Table
from mlanet.metrics import YAW_BINS, paired_difference

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Run:
    """A report and its name: the method's; with the file's folder or path where two are alike."""

    name: str
    report: Report
    path: Path


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of the rows, in one of the groups that are compared apart."""

    column: Column
    group: Cell = None

    @property
    def name(self) -> str:
        """For people."""
        return self.column.name if self.group is None else f"{self.group} {self.column.name}"

    def cases(self, rows: Table | None) -> dict[Cell, tuple[float, Cell]]:
        """Mean of the rows of every case that has a value, and its yaw bin, by the case's name."""
        if rows is None or self.column.name not in {column.name for column in rows.used("figure")}:
            return {}
        names, values = rows.values(_case(rows)), rows.values(self.column.name)
        groups, bins = (
            rows.values(columns[0].name) if columns else [None] * len(names)
            for columns in (rows.used("group"), rows.used("yaw bin"))
        )
        members: dict[Cell, list[float]] = {}
        for name, value, group in zip(names, values, groups, strict=True):
            counted = self.column.if_missing if value is None else value
            if group == self.group and counted is not None:
                members.setdefault(name, []).append(counted)
        bin_of = dict(zip(names, bins, strict=True))
        return {name: (float(np.mean(some)), bin_of[name]) for name, some in members.items()}


def load_runs(paths: Sequence[Path]) -> list[Run]:
    """Reports of one protocol.

    Raises:
        DataError: a file is missing, malformed or no report, or protocols differ.
    """
    reports = [Report.read(path) for path in paths]
    protocols = sorted({report.protocol.name for report in reports})
    if len(protocols) > 1:
        raise DataError(f"reports of different protocols are not compared: {'; '.join(protocols)}")
    names = _told_apart([report.method for report in reports], paths)
    return [Run(*run) for run in zip(names, reports, paths, strict=True)]


def conditions_table(runs: Sequence[Run]) -> Table:
    """How each run was made."""
    return _side_by_side("Conditions", runs, [run.report.conditions for run in runs])


def versions_table(runs: Sequence[Run]) -> Table:
    """Versions of weights, face model and mlanet by run."""
    return _side_by_side("Versions", runs, [run.report.versions for run in runs])


def figures_table(runs: Sequence[Run]) -> Table:
    """Every figure of the reports' tables, one column for each run."""
    figures = [
        {
            f"{table.rows[k][0]}: {column.name}": value
            for table in run.report.tables
            for column in table.used("figure")
            for k, value in enumerate(table.values(column.name))
        }
        for run in runs
    ]
    return _side_by_side("Figures", runs, figures)


def differences_table(runs: Sequence[Run]) -> Table:
    """Each run's figures minus the first one's, over the cases that both have.

    Figures are means of the yaw bins' means; over all cases alike if the column says so, or if yaw
    is unknown or a bin is empty.
    """
    first, rows = runs[0], list[tuple[Cell, ...]]()
    case = _case(first.report.rows)
    for run in runs[1:]:
        for figure in figures_of(first.report.rows):
            cases, others = figure.cases(first.report.rows), figure.cases(run.report.rows)
            both = [name for name in cases if name in others]
            if not both:
                continue
            one, other = ([each[name][0] for name in both] for each in (cases, others))
            bins = [cases[name][1] for name in both]
            binned = not figure.column.alike and set(bins) == set(YAW_BINS)
            strata = np.array([YAW_BINS.index(str(each)) for each in bins]) if binned else None
            difference = paired_difference(
                np.array(other), np.array(one), strata, confidence=CONFIDENCE
            )
            interval = f"{difference.low:+.3f} to {difference.high:+.3f}"
            label = f"{run.name}: {figure.name}"
            over = "yaw bins" if binned else f"all {case}s"
            rows.append((label, len(one), f"{difference.mean:+.3f}", interval, over))
    names = (f"minus {first.name}", f"{case}s", "difference", f"{CONFIDENCE:.0%} interval")
    columns = tuple(Column(name) for name in (*names, "mean over"))
    note = f"Paired bootstrap over the {case}s of both runs; negative is below the first."
    for column in dict.fromkeys(figure.column for figure in figures_of(first.report.rows)):
        if column.if_missing is not None:
            amount = f"{column.if_missing:g} {column.unit}".strip()
            note += f" A missing {column.name} counts as {amount}."
    return Table("Differences", columns, tuple(rows), note)


def comparison_plots(runs: Sequence[Run]) -> tuple[Plot, ...]:
    """Cumulative errors of all runs in one plot for each figure; every run has all its cases.

    Raises:
        DataError: an error is negative.
    """
    plots: list[Plot] = []
    case = _case(runs[0].report.rows)
    for figure in figures_of(runs[0].report.rows):
        cases = {run.name: figure.cases(run.report.rows).values() for run in runs}
        errors = {name: [value for value, _ in values] for name, values in cases.items()}
        for run in runs:
            if min(errors[run.name], default=0.0) < 0:
                raise DataError(f"{run.path}: a negative {figure.name}")
        label = f"{figure.name} {figure.column.unit}".strip()
        plots += cumulative_plot(label, f"{case}s", errors, figure.column.limit)
    return tuple(plots)


def comparison_page(runs: Sequence[Run]) -> Page:
    """The tables and curves of some runs, and what they are about.

    Raises:
        DataError: an error is negative.
    """
    facts = (("Protocol", runs[0].report.protocol.name), *((r.name, str(r.path)) for r in runs))
    tables = (conditions_table(runs), figures_table(runs), differences_table(runs))
    shown = tuple(table for table in (*tables, versions_table(runs)) if table.rows)
    return Page("Runs side by side", facts, shown, comparison_plots(runs))


def figures_of(rows: Table | None) -> list[Figure]:
    """What can be compared: figures that any row has, in each group; none without cases."""
    if rows is None or not _case(rows):
        return []
    groups = rows.used("group")
    members = rows.values(groups[0].name) if groups else [None] * len(rows.rows)
    return [
        Figure(column, group)
        for group in dict.fromkeys(members)
        for column in rows.used("figure")
        if any(value is not None for value in rows.values(column.name))
    ]


def _case(rows: Table | None) -> str:
    """What the rows are paired by; nothing if they are not compared."""
    columns = [] if rows is None else rows.used("case")
    return columns[0].name if columns else ""


def _side_by_side(name: str, runs: Sequence[Run], mappings: Sequence[Mapping[str, Cell]]) -> Table:
    """All keys of some mappings, one column for each run."""
    keys = dict.fromkeys(key for each in mappings for key in each)
    columns = (Column(name.lower()), *(Column(run.name, digits=4) for run in runs))
    rows = tuple((key, *(each.get(key) for each in mappings)) for key in keys)
    return Table(name, columns, rows)


def _told_apart(names: Sequence[str], paths: Sequence[Path]) -> list[str]:
    """Names that differ: with the file's folder where they do not, else its path, else a number."""
    labels = list(names)
    folders, files = [path.parent.name for path in paths], [str(path) for path in paths]
    numbered = [f"{number}: {path}" for number, path in enumerate(paths, 1)]
    for marks in (folders, files, numbered):
        count = Counter(labels)
        labels = [
            f"{name} ({mark})" if mark and count[label] > 1 else label
            for label, name, mark in zip(labels, names, marks, strict=True)
        ]
    return labels
