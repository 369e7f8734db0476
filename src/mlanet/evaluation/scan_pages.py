"""Evaluations in mm against scans as pages for people: tables, curves, pictures."""

from collections.abc import Mapping, Sequence

from mlanet.evaluation.curves import distance_plots
from mlanet.evaluation.florence_report import (
    FIGURES,
    FLORENCE_PROTOCOL,
    FlorenceReport,
    shown_mean_and_sd,
)
from mlanet.evaluation.page import (
    Page,
    PictureGrid,
    PictureRow,
    Table,
)
from mlanet.evaluation.pictures import jpeg
from mlanet.evaluation.scan_pictures import COLUMNS, WORST_MM, ScanRow
from mlanet.evaluation.scan_report import SCAN_PROTOCOL, ScanReport

COVERAGE_NOTE = (
    "Coverage is the share of both surfaces' area that was compared; the rest has no counterpart"
    " and does not count. Methods can be compared where they cover alike."
)


def florence_page(report: FlorenceReport, grids: tuple[PictureGrid, ...] = ()) -> Page:
    """Settings, scans, what was left out, the share of subjects below a distance, and pictures."""
    settings = report.settings()
    content = report.as_dict()["settings"]
    results = [
        (name, str(len(rows)), *(shown_mean_and_sd(content[name][key]) for key in FIGURES))
        for name, rows in settings.items()
    ]
    subjects = [
        (
            f"{row.subject}, {row.setting}",
            "-" if row.frames is None else f"{row.faces} of {row.frames}",
            *(f"{getattr(row, key):.2f}" for key in FIGURES),
        )
        for row in report.results
    ]
    scans = [(scan.file, scan.source, f"{scan.interocular_mm:.1f}") for scan in report.scans]
    headings = tuple(FIGURES.values())
    tables = [
        Table("Mean and deviation over subjects", ("setting", "subjects", *headings), (*results,)),
        Table("Scans", ("scan", "landmarks by", "outer eyes mm"), (*scans,)),
        Table("Left out", ("what and why",), tuple((line,) for line in report.skipped)),
        Table("Subjects", ("subject", "frames with a face", *headings), (*subjects,)),
    ]
    facts = (
        ("Protocol", FLORENCE_PROTOCOL),
        ("Frames", "-" if report.every is None else f"one of {report.every}"),
        *_run_facts(report.versions, report.seconds),
    )
    curves = {name: [row.point_to_plane_mean_mm for row in rows] for name, rows in settings.items()}
    shown = tuple(table for table in tables if table.rows)
    plots = distance_plots("share of subjects", curves)
    return Page(f"{report.method} on MICC Florence", facts, shown, plots, grids)


def scan_page(
    report: ScanReport, rows: Sequence[ScanRow], picture_columns: tuple[str, ...] = COLUMNS
) -> Page:
    """Groups of portraits, the share of portraits below a distance, and what was drawn."""
    groups = [
        (
            name,
            str(group.portraits),
            str(group.missed),
            *map(_figure, (group.mean_mm, group.rms_mm, group.mean_face_mm, group.gain_percent)),
            _figure(group.coverage),
        )
        for name, group in report.groups().items()
    ]
    columns = (
        *("portraits", "number", "missed", "mean mm", "rms mm", "mean face mm", "gain %"),
        "coverage",
    )
    heads = {entry.head: entry.mean_mm for entry in report.baselines}
    curves = {
        "reconstructions": [row.mean_mm for row in report.results],
        "mean face": [heads[row.head] for row in report.results],
    }
    facts = (
        ("Protocol", SCAN_PROTOCOL),
        ("Refined", "yes, fitted to the pixels" if report.refined else "no"),
        *_run_facts(report.versions, report.seconds),
    )
    note = f"Distances from none (blue) to {WORST_MM:g} mm (red); grey has no counterpart."
    pictures = tuple(
        PictureRow(_caption(report, row), tuple(jpeg(tile) for tile in row.tiles)) for row in rows
    )
    return Page(
        f"{report.method}, rendered-scan check",
        facts,
        (Table("Groups of portraits", columns, tuple(groups), COVERAGE_NOTE),),
        distance_plots("share of portraits", curves),
        (PictureGrid("Portraits", picture_columns, pictures, note),) if pictures else (),
    )


def _run_facts(versions: Mapping[str, str], seconds: float) -> tuple[tuple[str, str], ...]:
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (("Versions", named or "-"), ("Seconds", f"{seconds:.0f}"))


def _caption(report: ScanReport, row: ScanRow) -> str:
    place = row.head, row.yaw_deg, row.light
    measured = [
        f"{result.mean_mm:.2f} mm" + (", missed" if result.missed else "")
        for result in report.results
        if (result.head, result.yaw_deg, result.light) == place
    ]
    return "\n".join([row.head, f"yaw {row.yaw_deg:g} degrees", f"light {row.light}", *measured])


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
