"""Errors behind occluders: a table, a curve."""

import math

import numpy as np

from mlanet.evaluation.aflw2000.confidence import confidence_tables, reliability_plots
from mlanet.evaluation.aflw2000.report import NME, protocol_of, row_table
from mlanet.evaluation.aflw2000.results import mean_nme, mean_pose
from mlanet.evaluation.occlusion.occluders import Occluder
from mlanet.evaluation.occlusion.scoring import OcclusionResults
from mlanet.evaluation.reporting import Column, Protocol, Report, Table, number
from mlanet.evaluation.reporting.plots import NUM_Y_TICKS, Line, Plot
from mlanet.metrics import Difference, paired_difference, yaw_bin_index

PROTOCOL = Protocol(
    "AFLW2000-3D with drawn occluders",
    f"{protocol_of('original').definition}; ground-truth crop, original annotation; differences to "
    "the uncovered pictures with 95 % intervals by a paired bootstrap over images",
)
SHARE_TICK, ERROR_TICK = 10.0, 0.5
"""Percent: the curve's axes end at a multiple of this for each tick."""


def occlusion_report(results: OcclusionResults, seed: int = 0) -> Report:
    """The report of all pictures."""
    return Report(
        protocol=PROTOCOL,
        rows=occlusion_rows(results),
        tables=(
            occlusion_table(results),
            *confidence_tables({occluder_name(kind): some for kind, some in results.items()}),
        ),
        conditions={"images": len(results[None]), "seed": seed},
        plots=(
            *occlusion_plots(results),
            *reliability_plots([result for some in results.values() for result in some]),
        ),
    )


def occluder_name(occluder: Occluder | None) -> str:
    """For tables."""
    return "none" if occluder is None else occluder.name


def occlusion_rows(results: OcclusionResults) -> Table:
    """One row for each image and occluder."""
    tables = {occluder: row_table(some) for occluder, some in results.items()}
    rows = tuple(
        (occluder_name(occluder), *row) for occluder, table in tables.items() for row in table.rows
    )
    return Table(
        "images", (Column("covered by", use="group"), *tables[None].columns), rows, brief=False
    )


def occlusion_table(results: OcclusionResults) -> Table:
    """One row for each occluder."""
    rows: list[tuple[str | float | None, ...]] = []
    for occluder, some in results.items():
        increase: list[float | None] = [None] * 3
        if occluder is not None:
            change = increase_of(results, occluder)
            increase = [change.mean, change.low, change.high]
        figures = number(mean_nme(some).mean), number(mean_pose(some).mean)
        rows.append((occluder_name(occluder), *figures, *increase))
    note = (
        "Shares are of the convex hull of the landmarks; nme_2d_68 is over all 68 landmarks. The"
        " increase of nme_2d_68 is over the uncovered pictures, with its 95 % interval."
    )
    if not _by_bins(results):
        note += " A yaw bin is empty: the increase is over all images alike."
    columns = (
        Column("covered by"),
        Column("nme_2d_68", NME.unit, use="figure"),
        Column("pose_mae_deg", use="figure"),
        *(Column(name, NME.unit) for name in ("increase", "low", "high")),
    )
    return Table("By occlusion", columns, tuple(rows), note)


def increase_of(results: OcclusionResults, occluder: Occluder) -> Difference:
    """How far the covered pictures' `nme_2d_68` lies above the others', per cent.

    The mean of the yaw bins' means; if a bin is empty, over all images alike.
    """
    yaw = np.array([abs(r.yaw_deg) for r in results[None]])
    errors = [
        np.array([r.nme_2d_68_of_all for r in results[condition]]) for condition in (occluder, None)
    ]
    strata = yaw_bin_index(yaw) if _by_bins(results) else None
    return paired_difference(errors[0], errors[1], strata)


def _by_bins(results: OcclusionResults) -> bool:
    """Whether no yaw bin is empty."""
    return all(mean_nme(results[None]).counts.values())


def occlusion_plots(results: OcclusionResults) -> tuple[Plot, ...]:
    """`nme_2d_68` over the covered share, a curve for each kind; none if it cannot be said.

    Sunglasses and masks, whose share differs from face to face, are level lines.
    """
    errors = {kind: mean_nme(some).mean for kind, some in results.items() if kind is not None}
    shares = sorted({kind.share for kind in errors if kind.share})
    plain = mean_nme(results[None]).mean
    if not shares or math.isnan(plain):  # a yaw bin is empty
        return ()
    num_ticks = math.ceil(round(100.0 * shares[-1] / SHARE_TICK, 6))
    limit = SHARE_TICK * num_ticks
    lines: list[Line] = []
    for name in dict.fromkeys(kind.kind for kind in errors):
        curve = sorted((kind.share, error) for kind, error in errors.items() if kind.kind == name)
        if curve[0][0]:
            points = [(0.0, plain), *curve]
            lines.append(Line(name, [100.0 * x for x, _ in points], [y for _, y in points]))
        else:
            lines.append(Line(name, [0.0, limit], [curve[0][1]] * 2))
    most, unit = max(max(line.y) for line in lines), ERROR_TICK * NUM_Y_TICKS
    return (
        Plot(
            title="Error over the covered share",
            x_label="share of the face that is covered, percent",
            y_label="nme_2d_68, percent",
            x_limit=limit,
            y_limit=unit * max(1, math.ceil(most / unit)),
            lines=tuple(lines),
            note="Level lines: sunglasses and masks, whose share differs from face to face.",
            num_x_ticks=num_ticks,
        ),
    )
