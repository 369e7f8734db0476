"""Reports of several runs side by side, and how far their differences may be chance."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlanet.errors import DataError
from mlanet.evaluation.curves import distance_plots, nme_plot
from mlanet.evaluation.page import Page, Plot, Table
from mlanet.evaluation.report import MISSED_NME
from mlanet.evaluation.report_file import SINGLE_ERRORS, read_run
from mlanet.metrics import YAW_BINS, paired_difference, yaw_bin_index

CONFIDENCE = 0.95
NOT_FIGURES = (
    *SINGLE_ERRORS,
    "versions",
    "worst",
    "protocol",
    "annotation",
    "method",
    "images_per_bin",
    "missed_per_bin",
    "every_nth_frame",
    "mean_missed_as_100",
)
"""Parts of a report that are no figures to compare, or not without their counts; the last one is
of reports of older versions, and repeats a mean."""

GROUPING = "measure"
"""What names the measure that groups of images were made by; their means need their counts."""

MUST_AGREE = {
    "protocol": "protocols",
    "annotation": "annotations",
}
"""Parts of reports without whose agreement figures are not compared, and their plurals."""

CONDITIONS = ("crop", "refined", "every_nth_frame")
"""How a run was made, shown above its figures."""

NOT_ERRORS = ("yaw_deg", "skin_tone_deg")

POSE = "pose_mae_deg"
"""The error whose protocol averages over all images alike, whatever their yaw bin."""

UNITS = {
    "per_image": (
        "images",
        "Paired bootstrap over the images of both runs; negative is better than the first. A missed"
        " face counts as 100 % in nme_2d_68; other errors are compared on the images that both runs"
        " found, and pose_mae_deg over those of the pose protocol alike.",
    ),
    "per_head": (
        "heads",
        "Paired bootstrap over the heads of both runs, each with the mean of its portraits;"
        " negative is better than the first.",
    ),
    "per_subject": (
        "subjects",
        "Paired bootstrap over the subjects who have a face in that setting in both runs; negative"
        " is better than the first.",
    ),
}
"""What the bootstrap draws, by the part of the report that holds the errors, and how."""

BINNED = "per_image"
"""The part of the report whose errors are averaged by yaw bin."""


@dataclass(frozen=True, slots=True)
class Run:
    """One report.json.

    Attributes:
        name: the method's; with the file's folder or path where two runs have one name.
        content: the report.
        path: of the file.
    """

    name: str
    content: dict[str, Any]
    path: Path

    @property
    def single_kind(self) -> str | None:
        """Which of `SINGLE_ERRORS` the report has."""
        return next((key for key in SINGLE_ERRORS if self.content.get(key)), None)

    @property
    def single_errors(self) -> dict[str, list[Any]]:
        """Columns with a row for each image, head or subject; none if the report has no such."""
        return {} if self.single_kind is None else self.content[self.single_kind]

    @property
    def figures(self) -> dict[str, float | None]:
        """All single numbers, by the names on the way to them."""
        kept = {key: value for key, value in self.content.items() if key not in NOT_FIGURES}
        return dict(_numbers(kept, ()))


def load_runs(paths: Sequence[Path]) -> list[Run]:
    """Reports of one protocol and annotation.

    Raises:
        DataError: a file is missing, malformed or no report, or reports differ in `MUST_AGREE`.
    """
    contents = [read_run(path) for path in paths]
    for key, plural in MUST_AGREE.items():
        values = {str(content.get(key)) for content in contents}
        if len(values) > 1:
            listed = "; ".join(sorted(values))
            raise DataError(f"reports of different {plural} are not compared: {listed}")
    names = [
        str(content.get("method", path.parent.name))
        for content, path in zip(contents, paths, strict=True)
    ]
    return [
        Run(name, content, path)
        for name, content, path in zip(_told_apart(names, paths), contents, paths, strict=True)
    ]


def figures_table(runs: Sequence[Run]) -> Table:
    """`CONDITIONS` and every figure that a run has, one column for each run."""
    found = [run.figures for run in runs]
    names = list(dict.fromkeys(name for figures in found for name in figures))
    rows = [
        (key, *(_condition(run.content.get(key)) for run in runs))
        for key in CONDITIONS
        if any(key in run.content for run in runs)
    ]
    rows += [(name, *(_shown(figures.get(name)) for figures in found)) for name in names]
    return Table("Figures", ("", *(run.name for run in runs)), tuple(rows))


def versions_table(runs: Sequence[Run]) -> Table | None:
    """Versions of weights, face model and mlanet by run; None if no report holds any."""
    given = [run.content.get("versions") for run in runs]
    found: list[dict[str, Any]] = [each if isinstance(each, dict) else {} for each in given]
    names = dict.fromkeys(name for versions in found for name in versions)
    rows = [(name, *(_condition(versions.get(name)) for versions in found)) for name in names]
    return Table("Versions", ("", *(run.name for run in runs)), tuple(rows)) if rows else None


def differences_table(runs: Sequence[Run]) -> Table | None:
    """Each run's errors minus the first one's on the images (heads, subjects) that both have.

    In `nme_2d_68` a missed face counts as 100 %; other errors are compared where both have one.

    Of images, the mean of the yaw bins' means is taken, or the mean over all images if yaw angles
    are unknown or a bin is empty, and always of `POSE`; the note says which. None if the reports
    hold no errors of single images, heads or subjects.
    """
    first, rows = runs[0], list[tuple[str, ...]]()
    binned, unbinned = list[str](), list[str]()
    for run in runs[1:]:
        for error in _errors(first):
            pairs = _paired(first, run, error)
            if pairs is None:
                continue
            one, other, group = pairs
            found = paired_difference(other, one, group, confidence=CONFIDENCE)
            interval = f"{found.low:+.3f} to {found.high:+.3f}"
            label = f"{run.name}: {error}"
            rows.append((label, str(len(one)), f"{found.mean:+.3f}", interval))
            if error != POSE:
                (unbinned if group is None else binned).append(label)
    if not rows or first.single_kind is None:
        return None
    unit, note = UNITS[first.single_kind]
    if first.single_kind == BINNED:
        note = f"{note} {_means(binned, unbinned)}"
    columns = (f"minus {first.name}", unit, "difference", f"{100 * CONFIDENCE:.0f} % interval")
    return Table("Differences", columns, tuple(rows), note)


def curves(runs: Sequence[Run]) -> tuple[Plot, ...]:
    """Cumulative errors of all runs in one plot: `nme_2d_68`, or each mean distance in mm.

    Every run is drawn over all images, heads or subjects that it has; none without such errors.

    Raises:
        DataError: an error is negative.
    """
    unit, _ = UNITS.get(runs[0].single_kind or "", ("", ""))
    plots: list[Plot] = []
    for error in _errors(runs[0]):
        columns = {run.name: run.single_errors.get(error, ()) for run in runs}
        for run in runs:
            if any(value is not None and value < 0 for value in columns[run.name]):
                raise DataError(f"{run.path}: a negative {error}")
        if error == "nme_2d_68":
            missed = {
                name: [math.inf if value is None else value for value in column]
                for name, column in columns.items()
            }
            plots.append(nme_plot(missed))
        elif error.endswith("point_to_plane_mean_mm"):
            found = {k: [v for v in column if v is not None] for k, column in columns.items()}
            title = f"Cumulative distance: {error}"
            plots += distance_plots(f"share of {unit}", found, title, error)
    return tuple(plots)


def comparison_page(runs: Sequence[Run]) -> Page:
    """The tables and curves of some runs, and what they are about."""
    facts = (
        ("Protocol", str(runs[0].content.get("protocol", ""))),
        *((run.name, str(run.path)) for run in runs),
    )
    tables = (figures_table(runs), differences_table(runs), versions_table(runs))
    shown = tuple(table for table in tables if table is not None)
    return Page("Runs side by side", facts, shown, curves(runs))


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


def _numbers(value: Any, way: tuple[str, ...]) -> list[tuple[str, float | None]]:
    if isinstance(value, dict):
        if GROUPING in value:
            return []
        return [pair for key, part in value.items() for pair in _numbers(part, (*way, str(key)))]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [(" ".join(way), float(value))]
    return []


def _errors(run: Run) -> list[str]:
    """Columns of the report that hold an error for each image, head or subject."""
    return [
        key
        for key, column in run.single_errors.items()
        if key not in NOT_ERRORS and any(isinstance(v, float | int) for v in column)
    ]


def _paired(
    first: Run, second: Run, error: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None] | None:
    """Errors of both runs on the images that both have, and the images' yaw bins.

    No bins of `POSE`, and if yaw angles are unknown or a bin is empty.
    """
    tables = first.single_errors, second.single_errors
    if any(error not in table or "name" not in table for table in tables):
        return None
    missing = MISSED_NME if error == "nme_2d_68" else None
    filled = [[missing if v is None else v for v in table[error]] for table in tables]
    others = dict(zip(tables[1]["name"], filled[1], strict=True))
    columns = [tables[0]["name"], filled[0]]
    yaw = tables[0].get("yaw_deg", [None])
    if None in yaw:
        yaw = [0.0] * len(columns[0])
    both = [
        (value, others[name], angle)
        for name, value, angle in zip(*columns, yaw, strict=True)
        if value is not None and others.get(name) is not None
    ]
    if not both:
        return None
    one, other, angles = np.array(both, dtype=np.float64).T
    bins = yaw_bin_index(angles)
    by_bin = error != POSE and len(np.unique(bins)) == len(YAW_BINS)
    return one, other, bins if by_bin else None


def _means(binned: Sequence[str], unbinned: Sequence[str]) -> str:
    """Which means differences are, some of them perhaps not by yaw bin."""
    why = "yaw angles are unknown or leave a bin empty"
    if not binned:
        return f"Mean over all images alike, as {why}."
    if unbinned:
        listed = ", ".join(unbinned)
        return f"Mean of the yaw bins' means; but over all images alike in {listed}, where {why}."
    return "Mean of the yaw bins' means."


def _condition(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None else str(value)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if value % 1 else f"{value:.0f}"
