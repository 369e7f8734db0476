"""The report of the rendered-scan check."""

from collections.abc import Sequence

import numpy as np

from mlanet.evaluation.reporting import Cell, Column, Protocol, Report, Table, cumulative_plot
from mlanet.evaluation.scans.known_heads import SCAN_KIND
from mlanet.evaluation.scans.scoring import PortraitResult

PROTOCOL = Protocol(
    "rendered-scan check (not MICC Florence)",
    "point_to_plane_mean_mm within 95 mm of the tip of the nose after similarity ICP, both "
    "directions averaged; mean over portraits; the mean face is aligned to each head by the same "
    "ICP",
)
NEAR_DEG = 30.0
"""Portraits up to this |yaw| are near, the others far."""

ROW_COLUMNS = (
    Column("head", use="case"),
    Column("kind"),
    Column("yaw_deg", digits=0),
    Column("light"),
    Column("missed"),
    Column("point_to_plane_mean_mm", use="figure"),
    Column("point_to_plane_rms_mm", use="figure"),
    Column("mean_face_mm"),
    Column("coverage"),
    Column("scale"),
)
GROUP_FIGURES = (
    "point_to_plane_mean_mm",
    "point_to_plane_rms_mm",
    "mean_face_mm",
    "gain_percent",
    "coverage",
)


def scan_report(results: Sequence[PortraitResult], *, refined: bool = False) -> Report:
    """The report of all portraits."""
    curves = {
        "reconstructions": [result.mean_mm for result in results],
        "mean face": [result.mean_face_mm for result in results],
    }
    return Report(
        protocol=PROTOCOL,
        rows=portrait_table(results),
        tables=(group_table(results),),
        conditions={"refined": refined},
        plots=cumulative_plot("point_to_plane_mean_mm", "portraits", curves),
    )


def portrait_table(results: Sequence[PortraitResult]) -> Table:
    """One row a portrait."""
    rows = tuple(
        (
            *(r.head, r.kind, r.yaw_deg, r.light, int(r.missed)),
            *(r.mean_mm, r.rms_mm, r.mean_face_mm, r.coverage, r.scale),
        )
        for r in results
    )
    return Table("portraits", ROW_COLUMNS, rows, brief=False)


def group_table(results: Sequence[PortraitResult]) -> Table:
    """Means by kind of head, scans first and each of them; over all; by angle and by light."""
    rows = [_group(name, members) for name, members in groups(results).items()]
    figures = (Column(name, digits=2, use="figure") for name in GROUP_FIGURES)
    columns = (Column("portraits"), Column("number"), Column("missed"), *figures)
    note = (
        "Coverage is the share of both surfaces' area that was compared; the rest has no"
        " counterpart and does not count. Methods can be compared where they cover alike."
    )
    return Table("Groups of portraits", columns, tuple(rows), note)


def groups(results: Sequence[PortraitResult]) -> dict[str, list[PortraitResult]]:
    """Portraits by the name of their group."""
    kinds = sorted(dict.fromkeys(r.kind for r in results), key=lambda kind: kind != SCAN_KIND)
    members_of: dict[str, list[PortraitResult]] = {}
    for kind in kinds:
        members = [r for r in results if r.kind == kind]
        members_of |= _by_angle(f"kind {kind}", members)
        for head in dict.fromkeys(r.head for r in members if kind == SCAN_KIND):
            members_of |= _by_angle(f"head {head}", [r for r in members if r.head == head])
    members_of |= _by_angle("all", results)
    for yaw in sorted({r.yaw_deg for r in results}):
        members_of[f"yaw {yaw:g}"] = [r for r in results if r.yaw_deg == yaw]
    for light in dict.fromkeys(r.light for r in results):
        members_of[f"light {light}"] = [r for r in results if r.light == light]
    return members_of


def _by_angle(name: str, members: Sequence[PortraitResult]) -> dict[str, list[PortraitResult]]:
    """The group, and its near and far portraits if there are such."""
    near = [r for r in members if abs(r.yaw_deg) <= NEAR_DEG]
    far = [r for r in members if abs(r.yaw_deg) > NEAR_DEG]
    parts = {f"|yaw| <= {NEAR_DEG:g}": near, f"|yaw| > {NEAR_DEG:g}": far}
    named = {f"{name}, {angle}": part for angle, part in parts.items() if part}
    return {name: list(members)} | named


def _group(name: str, members: Sequence[PortraitResult]) -> tuple[Cell, ...]:
    mean, rms, face, coverage = (
        float(np.mean([getattr(r, key) for r in members]))
        for key in ("mean_mm", "rms_mm", "mean_face_mm", "coverage")
    )
    missed = sum(r.missed for r in members)
    return (name, len(members), missed, mean, rms, face, 100.0 * (1.0 - mean / face), coverage)
