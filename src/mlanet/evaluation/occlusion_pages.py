"""Errors behind occluders as a page for people: a table, a curve, pictures."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.evaluation.occlusion import (
    OCCLUSION_PROTOCOL,
    Occluder,
    OcclusionReport,
    cover_named,
)
from mlanet.evaluation.page import NUM_Y_TICKS, Line, Page, PictureGrid, PictureRow, Plot, Table
from mlanet.evaluation.pictures import PREDICTED_COLOR, TILE_PX, TRUTH_COLOR, grey_tile, jpeg
from mlanet.evaluation.report import ImageResult
from mlanet.image import crop_square, draw_points, square_from_landmarks

NUM_FACES = 4
"""How many faces are drawn, spread evenly over all in the order of their |yaw|."""

SHARE_TICK, ERROR_TICK = 10.0, 0.5
"""Percent: the curve's axes end at a multiple of this for each tick."""


def occlusion_page(report: OcclusionReport, grids: tuple[PictureGrid, ...] = ()) -> Page:
    """The table, the curve over the covered share, and pictures."""
    versions = ", ".join(f"{k} {v}" for k, v in report.plain.versions.items())
    facts = (("Protocol", OCCLUSION_PROTOCOL), ("Seed", str(report.seed)), ("Versions", versions))
    title = f"{report.plain.method} behind occluders"
    return Page(title, facts, (occlusion_table(report),), occlusion_plots(report), grids)


def occlusion_table(report: OcclusionReport) -> Table:
    """One row for each occluder."""
    content = report.as_dict()["occlusion"]
    rows: list[tuple[str, ...]] = []
    for name, found in content.items():
        change = "-"
        if "increase" in found:
            change = f"{found['increase']:+.2f} ({found['low']:+.2f} to {found['high']:+.2f})"
        figures = [found["nme_2d_68"], found["pose_mae_deg"]]
        rows.append((name, *("-" if v is None else f"{v:.2f}" for v in figures), change))
    note = "Shares are of the convex hull of the landmarks; nme_2d_68 is over all 68 landmarks."
    if not report.by_bins:
        note += " A yaw bin is empty: the increase is over all images alike."
    columns = ("covered by", "nme_2d_68 %", "head pose MAE, degrees", "increase of nme_2d_68")
    return Table("By occlusion", columns, tuple(rows), note)


def occlusion_plots(report: OcclusionReport) -> tuple[Plot, ...]:
    """`nme_2d_68` over the covered share, a curve for each kind; none if it cannot be said.

    Sunglasses and masks, whose share differs from face to face, are level lines.
    """
    errors = {kind: found.nme.mean for kind, found in report.covered.items()}
    shares = sorted({kind.share for kind in errors if kind.share})
    plain = report.plain.nme.mean
    if not shares or math.isnan(plain):  # a yaw bin is empty
        return ()
    num_ticks = math.ceil(round(100.0 * shares[-1] / SHARE_TICK, 6))
    limit = SHARE_TICK * num_ticks
    lines: list[Line] = []
    for name in dict.fromkeys(kind.kind for kind in errors):
        found = sorted((kind.share, error) for kind, error in errors.items() if kind.kind == name)
        if found[0][0]:
            points = [(0.0, plain), *found]
            lines.append(Line(name, [100.0 * x for x, _ in points], [y for _, y in points]))
        else:
            lines.append(Line(name, [0.0, limit], [found[0][1]] * 2))
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


def occlusion_grids(
    report: OcclusionReport, dataset: AFLW2000, annotations: AFLW2000Annotations
) -> tuple[PictureGrid, ...]:
    """The same few faces uncovered and behind each occluder, with the points that were found.

    One grid for each kind that grows, and one for all others.
    """
    results = report.plain.results
    order = sorted(range(len(results)), key=lambda row: abs(results[row].yaw_deg))
    places = ((2 * k + 1) * len(order) // (2 * NUM_FACES) for k in range(NUM_FACES))
    rows = [order[place] for place in dict.fromkeys(places) if order]
    groups: dict[str, list[Occluder]] = {}
    for kind in report.covered:
        groups.setdefault(kind.kind if kind.share else "", []).append(kind)
    note = (
        "Green: the predicted points. Orange, below them: the annotation's. A face that was missed"
        " has grey pictures."
    )
    return tuple(
        PictureGrid(
            f"Covered faces: {name or ', '.join(kind.name for kind in kinds)}",
            ("nothing", *(kind.name for kind in kinds)),
            tuple(_row(report, row, kinds, dataset, annotations) for row in rows),
            note,
        )
        for name, kinds in groups.items()
    )


def _row(
    report: OcclusionReport,
    row: int,
    kinds: Sequence[Occluder],
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
) -> PictureRow:
    """A face uncovered and behind some occluders."""
    plain = report.plain.results[row]
    image = dataset[dataset.index_of[plain.name]].image
    points = annotations.original_px[annotations.names.index(plain.name)]
    shown = [(image, plain)]
    for kind in kinds:
        covered = cover_named(image, kind, points, plain.name, report.seed)
        shown.append((covered, report.covered[kind].results[row]))
    errors = ", ".join("missed" if r.nme_2d_68 is None else f"{r.nme_2d_68:.2f}" for _, r in shown)
    caption = f"{plain.name}\nyaw {plain.yaw_deg:.0f} degrees\nnme_2d_68 in percent:\n{errors}"
    return PictureRow(caption, tuple(jpeg(_tile(p, points[:, :2], r)) for p, r in shown))


def _tile(
    image: UInt8[np.ndarray, "h w 3"], truth: Float[np.ndarray, "68 2"], result: ImageResult
) -> UInt8[np.ndarray, "t t 3"]:
    """The face with its points; grey if it was missed."""
    if result.landmarks_px is None:
        return grey_tile()
    square = square_from_landmarks(truth)
    radius = max(float(np.ptp(truth, axis=0).max()) / 120.0, 0.6)
    drawn = draw_points(image, truth, TRUTH_COLOR, radius)
    drawn = draw_points(drawn, result.landmarks_px[:, :2], PREDICTED_COLOR, radius)
    return crop_square(drawn, square, TILE_PX).image
