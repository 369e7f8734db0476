"""An AFLW2000-3D report as files: numbers, tables, a page with curves and pictures."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.errors import DataError
from mlanet.evaluation.curves import nme_plot
from mlanet.evaluation.page import (
    Page,
    PictureGrid,
    PictureRow,
    Table,
)
from mlanet.evaluation.pictures import COLUMNS, POINTS_COLUMNS, FaceRow, face_rows, jpeg
from mlanet.evaluation.report import AFLW2000Report
from mlanet.evaluation.report_file import write_pages
from mlanet.image import write_image
from mlanet.metrics import YAW_BINS
from mlanet.reconstructor import Reconstructor


def write_report(
    folder: Path,
    report: AFLW2000Report,
    reconstructor: Reconstructor | None,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    workers: int = 1,
) -> list[Path]:
    """Write report.json, errors.csv, report.md, report.html, worst.png and random.png.

    Without a reconstructor (other methods' predictions) points are drawn instead of faces.

    Returns:
        The paths of all that was written; pictures of no images are not.

    Raises:
        DataError: the folder cannot be written.
    """
    written = [report.save(folder), folder / "errors.csv"]
    drawn = {
        name: face_rows(chosen, report, reconstructor, dataset, annotations, workers)
        for name, chosen in (("worst", report.worst), ("random", report.random))
    }
    columns = POINTS_COLUMNS if reconstructor is None else COLUMNS
    write_pages(folder, page_of(report, drawn, columns))
    written += [folder / "report.md", folder / "report.html"]
    try:
        for name, rows in drawn.items():
            if rows:
                path = folder / f"{name}.png"
                write_image(path, np.concatenate([row.strip for row in rows]))
                written.append(path)
    except OSError as error:
        raise DataError(f"{folder}: the report cannot be written ({error})") from error
    return written


def page_of(
    report: AFLW2000Report, drawn: dict[str, list[FaceRow]], columns: tuple[str, ...]
) -> Page:
    """The report's facts, tables, curve and the pictures that were drawn."""
    content = report.as_dict()
    rate = content["images_per_second"]
    facts = (
        ("Protocol", content["protocol"]),
        ("Annotation", report.annotation),
        ("Crop", report.crop),
        ("Images", f"{content['images']}, {content['missed']} missed"),
        ("Images/s", "-" if rate is None else f"{rate:.1f} (read, reconstructed and scored)"),
        ("Versions", ", ".join(f"{key} {value}" for key, value in report.versions.items())),
    )
    tables = [_alignment(content), _pose(content), _curve_table(content)]
    if content["dense"] is not None:
        tables.insert(1, _dense(content))
    tables += [_groups(kind, found) for kind, found in content["groups"].items()]
    errors = [math.inf if r.nme_2d_68 is None else r.nme_2d_68 for r in report.results]
    plot = nme_plot({report.method: errors})
    note = "Orange: the annotation's points. A face that was missed has grey pictures."
    titles = {"worst": "Largest errors", "random": "Random faces (the same for every method)"}
    grids = tuple(
        PictureGrid(titles[name], columns, tuple(_picture_row(row) for row in rows), note)
        for name, rows in drawn.items()
        if rows
    )
    title = f"{report.method} on AFLW2000-3D"
    return Page(title, facts, tuple(tables), (plot,), grids)


def _picture_row(row: FaceRow) -> PictureRow:
    result = row.result
    error = "missed" if result.nme_2d_68 is None else f"nme_2d_68 {result.nme_2d_68:.3f} %"
    caption = f"{result.name}\nyaw {result.yaw_deg:.0f} degrees\n{error}"
    return PictureRow(caption, tuple(jpeg(tile) for tile in row.tiles))


def _alignment(content: dict[str, Any]) -> Table:
    counts, missed, nme = (content[k] for k in ("images_per_bin", "missed_per_bin", "nme_2d_68"))
    rows = [(name, str(counts[name]), str(missed[name]), _figure(nme[name])) for name in YAW_BINS]
    rows.append(
        ("mean of bins", str(content["images"]), str(content["missed"]), _figure(nme["mean"]))
    )
    if content["missed"]:
        found = content["nme_2d_68_found"]
        rows.append(("found faces only", "", "", _figure(found["mean"])))
    columns = ("|yaw| in degrees", "images", "missed", "nme_2d_68 %")
    return Table("Sparse alignment", columns, tuple(rows), "A missed face counts as 100 %.")


def _dense(content: dict[str, Any]) -> Table:
    rows = [
        (figure, *(_figure(values[name]) for name in (*YAW_BINS, "mean")))
        for figure, values in content["dense"].items()
    ]
    note = (
        "2D and 3D dense alignment over sqrt(w*h) of the true vertices' box; reconstruction after"
        " a similarity over the distance of the eyes' outer corners; percent. Over the"
        f" {content['dense_images']} of {content['images']} images whose face was found."
    )
    columns = ("", *YAW_BINS, "mean of bins")
    return Table("Dense alignment and 3D reconstruction", columns, tuple(rows), note)


def _pose(content: dict[str, Any]) -> Table:
    pose = content["pose_mae_deg"]
    rows = [(name, _figure(pose[name])) for name in ("pitch", "yaw", "roll", "mean")]
    note = f"Over {pose['images']} found faces whose true angles lie within 99 degrees"
    note += f"; {content['missed']} missed ones do not count." if content["missed"] else "."
    return Table("Head pose", ("angle", "mean absolute error, degrees"), tuple(rows), note)


def _curve_table(content: dict[str, Any]) -> Table:
    curve = content["cumulative_error"]
    rows = (
        ("area under the curve", f"{curve['auc']:.4f}"),
        ("faces beyond", f"{100 * curve['failure_rate']:.2f} %"),
    )
    title = f"Cumulative error to {curve['limit']:g} % of {curve['normalizer']}"
    return Table(title, ("", "nme_2d_68"), rows)


def _groups(kind: str, found: dict[str, Any]) -> Table:
    rows = [
        (
            name,
            str(group["images"]),
            str(group["missed"]),
            _figure(group["nme_2d_68"]),
            _figure(group["standard_error"]),
        )
        for name, group in found["groups"].items()
    ]
    columns = (kind, "images", "missed", "nme_2d_68 %", "standard error")
    note = f"Grouped by {found['measure']}. A missed face counts as 100 %."
    if found["unmeasured"]:
        note += f" {found['unmeasured']} images without this measure are left out."
    return Table(f"By {kind}", columns, tuple(rows), note)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
