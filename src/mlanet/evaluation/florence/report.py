"""The report on MICC Florence."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

import numpy as np

from mlanet.evaluation.florence.scoring import FlorenceFigures, FlorenceResult, FlorenceScores
from mlanet.evaluation.reporting import Column, Protocol, Report, Table, cumulative_plot, text_table
from mlanet.evaluation.surfaces.face_shape import START_POINTS

PROTOCOL = Protocol(
    "MICC Florence point_to_plane_mm",
    "scan within 95 mm of the tip of the nose, similarity ICP "
    "until the gain is below 0.001 mm, both directions averaged, minimum over a subject's frontal "
    "scans, mean and standard deviation over subjects; nme_interocular_icp: PRNet's variant, "
    "percent of the outer interocular distance; vertices weighted by area; left out: "
    "points whose closest point lies on the other surface's border or faces the other way "
    "(coverage: share of area that remains, of the scan with the least mean distance)",
)
ERRORS = ("point_to_plane_mean_mm", "point_to_plane_rms_mm", "nme_interocular_icp")
"""Figures in which methods are compared subject by subject."""

FIGURES = tuple(field.name for field in fields(FlorenceFigures))


def florence_report(scores: FlorenceScores, *, every: int | None = None) -> Report:
    """The report of all subjects.

    Of `every` so many frames one was used; None if the method does not say.
    """
    settings = by_setting(scores.results)
    curves = {
        name: [r.figures.point_to_plane_mean_mm for r in some] for name, some in settings.items()
    }
    left_out = text_table("Left out", ("what and why",), [(line,) for line in scores.skipped])
    return Report(
        protocol=PROTOCOL,
        rows=subject_table(scores.results),
        tables=(setting_table(settings), scan_table(scores), left_out),
        conditions={"every_nth_frame": every},
        plots=cumulative_plot("point_to_plane_mean_mm", "subjects", curves),
    )


def by_setting(results: Sequence[FlorenceResult]) -> dict[str, list[FlorenceResult]]:
    """Results of each setting."""
    by_name: dict[str, list[FlorenceResult]] = {}
    for result in results:
        by_name.setdefault(result.setting, []).append(result)
    return by_name


def setting_table(settings: Mapping[str, Sequence[FlorenceResult]]) -> Table:
    """Mean and standard deviation (of the sample) over subjects; a single one has none."""
    columns, values = [Column("figure")], [[*FIGURES, "subjects"]]
    for setting, results in settings.items():
        columns += [Column(setting, use="figure"), Column(f"{setting}, sd")]
        table = np.array([astuple(result.figures) for result in results])
        spread = table.std(axis=0, ddof=1).tolist() if len(results) > 1 else [None] * len(FIGURES)
        values += [[*table.mean(axis=0).tolist(), len(results)], [*spread, None]]
    rows = tuple(zip(*values, strict=True))
    return Table("Mean and deviation over subjects", tuple(columns), rows)


def scan_table(scores: FlorenceScores) -> Table:
    """The landmarks by which each scan was compared, mm in the scan's frame."""
    rows = [
        (
            scan.file,
            scan.source,
            scan.interocular_mm,
            *(" ".join(f"{value:.3f}" for value in point) for point in scan.points),
        )
        for scan in scores.scans
    ]
    points = (f"point {number}" for number in START_POINTS)
    return text_table("Scans", ("scan", "landmarks by", "interocular_mm", *points), rows)


def subject_table(results: Sequence[FlorenceResult]) -> Table:
    """One row for each subject and setting."""
    rows = tuple((r.subject, r.setting, r.frames, r.faces, *astuple(r.figures)) for r in results)
    columns = (
        Column("subject", use="case"),
        Column("setting", use="group"),
        Column("frames"),
        Column("faces"),
        *(Column(name, use="figure" if name in ERRORS else "") for name in FIGURES),
    )
    return Table("subjects", columns, rows, brief=False)
