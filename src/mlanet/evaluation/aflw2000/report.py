"""The report on AFLW2000-3D: tables of the images' errors."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Literal

import numpy as np

from mlanet.datasets.aflw2000_annotations import AnnotationKind
from mlanet.evaluation.aflw2000.confidence import confidence_tables, reliability_plots
from mlanet.evaluation.aflw2000.framing import CropSource
from mlanet.evaluation.aflw2000.groups import group_tables
from mlanet.evaluation.aflw2000.results import (
    CURVE_LIMIT,
    MISSED_NME,
    ImageResult,
    mean_dense,
    mean_nme,
    mean_pose,
    nme_curve,
    worst,
)
from mlanet.evaluation.reporting import (
    Cell,
    Column,
    Protocol,
    Report,
    Table,
    cumulative_plot,
    number,
)
from mlanet.metrics import YAW_BINS, yaw_bin_index

DEFINITION = (
    "nme_2d_68: mean distance of 68 points (x, y; original image) over sqrt(w*h) of "
    "the true landmarks' bounding box, percent; a missed face counts as 100 %; "
    "mean = mean of the three |yaw| bins' means"
)
DENSE_FIGURES = ("nme_2d_dense", "nme_3d_dense", "nme_3d_reconstruction")
NME = Column("nme_2d_68", "%", use="figure", if_missing=MISSED_NME, limit=CURVE_LIMIT)
ROW_COLUMNS = (
    Column("image", use="case"),
    Column("yaw_deg", digits=1),
    Column("bin", use="yaw bin"),
    Column("missed"),
    NME,
    Column("pitch_error_deg"),
    Column("yaw_error_deg"),
    Column("roll_error_deg"),
    Column("pose_mae_deg", use="figure", alike=True),
    Column("skin_tone_deg", digits=1),
)


def protocol_of(annotation: AnnotationKind) -> Protocol:
    """What is measured; the two annotations are never mixed."""
    return Protocol(f"AFLW2000-3D, {annotation} annotation", DEFINITION)


def aflw2000_report(
    results: Sequence[ImageResult],
    annotation: AnnotationKind,
    crop: CropSource,
    tones: Literal["predicted", "fitted"] = "predicted",
    *,
    refined: bool = False,
) -> Report:
    """The report of all images.

    `tones` says whether skin tones are those of the predicted albedo or of a fitted one, `refined`
    whether faces were brought nearer to the pictures' shading.
    """
    tables = [alignment_table(results), pose_table(results), curve_table(results)]
    if any(result.dense is not None for result in results):
        tables.insert(1, dense_table(results))
    conditions: dict[str, Cell] = {
        "crop": crop,
        "refined": refined,
        "images": len(results),
        "missed": sum(result.nme_2d_68 is None for result in results),
        "seconds_of_method": round(sum(result.seconds for result in results), 3),
    }
    errors = {"faces": [result.nme_2d_68_of_all for result in results]}
    tables += confidence_tables({"all": results})
    note = "Missed faces lie beyond every threshold."
    return Report(
        protocol=protocol_of(annotation),
        rows=row_table(results),
        tables=(*tables, worst_table(results), *group_tables(results, tones)),
        conditions=conditions,
        plots=(
            *cumulative_plot("nme_2d_68 %", "faces", errors, CURVE_LIMIT, note),
            *reliability_plots(results),
        ),
    )


def row_table(results: Sequence[ImageResult]) -> Table:
    """One row an image; no values where a face was missed or not measured."""
    dense = DENSE_FIGURES if any(result.dense is not None for result in results) else ()
    columns = (*ROW_COLUMNS, *(Column(name, "%", use="figure") for name in dense))
    rows: list[tuple[Cell, ...]] = []
    for result in results:
        angles: list[Cell] = [None] * 3
        if result.angles_deg is not None:
            off = np.abs(result.angles_deg - result.true_angles_deg)
            angles = [number(float(value)) for value in off]
        errors = {} if result.dense is None else asdict(result.dense)
        rows.append(
            (
                result.name,
                result.yaw_deg,
                YAW_BINS[int(yaw_bin_index(np.array([result.yaw_deg]))[0])],
                int(result.nme_2d_68 is None),
                result.nme_2d_68,
                *angles,
                result.pose_mae_deg,
                result.skin_tone_deg,
                *(errors.get(name) for name in dense),
            )
        )
    return Table("images", columns, tuple(rows), brief=False)


def alignment_table(results: Sequence[ImageResult]) -> Table:
    """`nme_2d_68` by yaw bin."""
    nme, without_missed = mean_nme(results), mean_nme(results, with_missed=False)
    rows = [
        (
            name,
            nme.counts[name],
            nme.counts[name] - without_missed.counts[name],
            number(nme.bins[name]),
            number(without_missed.bins[name]),
        )
        for name in YAW_BINS
    ]
    counts = (
        sum(nme.counts.values()),
        sum(nme.counts.values()) - sum(without_missed.counts.values()),
    )
    rows.append(("mean of bins", *counts, number(nme.mean), number(without_missed.mean)))
    figures = NME, Column("nme_2d_68_found", "%", use="figure")
    columns = (Column("|yaw| degrees"), Column("images"), Column("missed"), *figures)
    note = "A missed face counts as 100 % in nme_2d_68; nme_2d_68_found leaves it out."
    return Table("Sparse alignment", columns, tuple(rows), note)


def dense_table(results: Sequence[ImageResult]) -> Table:
    """Dense errors by yaw bin, over the faces that were found."""
    means = [mean_dense(results, figure) for figure in DENSE_FIGURES]
    counts = means[0].counts
    rows = [(name, counts[name], *(number(mean.bins[name]) for mean in means)) for name in YAW_BINS]
    rows.append(("mean of bins", sum(counts.values()), *(number(mean.mean) for mean in means)))
    note = (
        "2D and 3D dense alignment over sqrt(w*h) of the true vertices' box; reconstruction after"
        " a similarity over the distance of the eyes' outer corners. Over the faces that were"
        " found and have such a truth."
    )
    figures = (Column(name, "%", use="figure") for name in DENSE_FIGURES)
    columns = (Column("|yaw| degrees"), Column("images"), *figures)
    return Table("Dense alignment and 3D reconstruction", columns, tuple(rows), note)


def pose_table(results: Sequence[ImageResult]) -> Table:
    """Mean absolute errors of the angles."""
    pose = mean_pose(results)
    names = ("pitch", "yaw", "roll", "mean")
    rows = tuple((name, pose.images, number(getattr(pose, name))) for name in names)
    note = "Over the faces that were found and whose true angles lie within 99 degrees."
    columns = (Column("angle"), Column("images"), Column("pose_mae_deg", use="figure"))
    return Table("Head pose", columns, rows, note)


def curve_table(results: Sequence[ImageResult]) -> Table:
    """Area under the cumulative error curve."""
    curve = nme_curve(results)
    figures = Column("auc", digits=4, use="figure"), Column("failure_rate", digits=4, use="figure")
    note = "failure_rate: share of faces beyond the curve's end. Normalised as nme_2d_68 is."
    row = (f"nme_2d_68 to {CURVE_LIMIT:g} %", curve.auc, curve.failure)
    return Table("Cumulative error", (Column("curve"), *figures), (row,), note)


def worst_table(results: Sequence[ImageResult]) -> Table:
    """The images with the largest errors."""
    rows = tuple((r.name, r.yaw_deg, r.nme_2d_68) for r in worst(results))
    columns = (Column("image"), Column("yaw_deg", digits=1), Column("nme_2d_68", "%"))
    return Table("Largest errors", columns, rows, "Missed faces have none.", brief=False)
