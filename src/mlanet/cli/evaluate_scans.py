"""`mlanet evaluate florence` and `mlanet evaluate scans`: millimetres against scans."""

import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from mlanet.cli.evaluate import titled_table
from mlanet.cli.extras import require_torch
from mlanet.cli.status import EXIT_FAILED, EXIT_OK
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlanet.evaluation.florence_report import FlorenceReport
    from mlanet.evaluation.scan_report import ScanReport
    from mlanet.reconstruction import Reconstruction


def florence(
    *,
    data: Path,
    out: Path,
    every: int = 10,
    threads: int = 1,
    weights: Path | None = None,
    name: str = "mlanet",
) -> int:
    """Distance to scans in mm on MICC Florence (point_to_plane_mm).

    Writes report.json, subjects.csv, report.md and report.html and prints the figures. What is
    missing, cannot be read or shows no face is left out and named. Scans are annotated by
    NAME.ljson beside NAME.obj, or else by the network that mlanet ships, whatever --weights says.

    Args:
        data: Folder of the data set, with subject_XX/Model and subject_XX/Video.
        out: Folder for the report.
        every: Of so many frames of a video, one is used.
        threads: CPU threads.
        weights: A network of your own, written by mlanet export.
        name: Of the network, in the report.

    Returns:
        Exit status: 0 all done, 1 something was left out.
    """
    _check(threads, out)
    if every < 1:
        raise UsageError(f"--every must be positive, got {every}")
    from rich.console import Console
    from rich.progress import Progress

    from mlanet.evaluation.florence import evaluate_florence, florence_subjects
    from mlanet.evaluation.scan_pages import florence_page, write_pages
    from mlanet.reconstructor import Reconstructor

    subjects = florence_subjects(data)
    reconstructor = Reconstructor.load(threads=threads, weights=weights)
    shipped = reconstructor if weights is None else Reconstructor.load(threads=threads)
    versions = versions_of(weights) | {"annotator of scans": versions_of(None)["mobile"]}
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("MICC Florence", total=len(subjects))
        report = evaluate_florence(
            reconstructor,
            subjects,
            annotator=shipped,
            every=every,
            versions=versions,
            method=name,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    path = report.save(out)
    write_pages(out, florence_page(report))
    print_florence_report(report)
    written = f"{path}, subjects.csv, report.md and report.html written"
    Console().print(written, highlight=False, markup=False, soft_wrap=True)
    for line in report.skipped:
        print(f"mlanet: left out: {line}", file=sys.stderr)
    return EXIT_FAILED if report.skipped else EXIT_OK


def scans(
    *,
    data: Path,
    out: Path | None = None,
    refine: bool = False,
    threads: int = 1,
    weights: Path | None = None,
    name: str = "mlanet",
) -> int:
    """Rendered-scan check: known heads photographed, reconstructed, compared in mm.

    Not MICC Florence, though its distance is measured: two textured scans and twenty random heads
    of ICT-FaceKit from seven angles under five lights. Prints the figures; with --out, writes
    report.json, portraits.csv, report.md, report.html and grid.png.

    Args:
        data: Folder with scans and ict_facekit.
        out: Folder for the report.
        refine: Fit each face to the picture's pixels, too (needs the train extra).
        threads: CPU threads.
        weights: A network of your own, written by mlanet export.
        name: Of the network, in the report.

    Returns:
        Exit status.
    """
    _check(threads, out)
    if refine:
        require_torch()
    from rich.console import Console
    from rich.progress import Progress

    from mlanet.evaluation.known_heads import known_heads
    from mlanet.evaluation.scan_pages import scan_page, write_pages
    from mlanet.evaluation.scan_pictures import scan_rows, write_scan_grid
    from mlanet.evaluation.scans import evaluate_scans
    from mlanet.reconstructor import Reconstructor

    reconstructor = Reconstructor.load(threads=threads, weights=weights)
    heads = known_heads(data, reconstructor.model)
    change = _refinement() if refine else None
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Rendered scans", total=None)
        report = evaluate_scans(
            reconstructor,
            heads,
            refine=change,
            versions=versions_of(weights),
            method=name,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    written = ""
    if out is not None:
        path = report.save(out)
        rows = scan_rows(reconstructor, heads, change)
        write_scan_grid(out, rows)
        write_pages(out, scan_page(report, rows))
        written = f"{path}, portraits.csv, report.md, report.html and grid.png written"
    print_scan_report(report)
    if written:
        Console().print(written, highlight=False, markup=False, soft_wrap=True)
    return EXIT_OK


def print_scan_report(report: "ScanReport") -> None:
    """Print a table that names the protocol and its groups of portraits."""
    from rich.console import Console
    from rich.text import Text

    content = report.as_dict()
    refined = ", refined" if report.refined else ""
    table = titled_table(f"{report.method}, rendered-scan check{refined}", content["protocol"])
    table.add_column("portraits", no_wrap=True)
    for heading in ("number", "missed", "mean mm", "rms mm", "mean face mm", "gain %"):
        table.add_column(heading, justify="right")
    for name, group in content["groups"].items():
        figures = [
            "-" if group[key] is None else f"{group[key]:.2f}"
            for key in (
                "point_to_plane_mean_mm",
                "point_to_plane_rms_mm",
                "mean_face_mm",
                "gain_percent",
            )
        ]
        table.add_row(Text(name), str(group["portraits"]), str(group["missed"]), *figures)
    Console().print(table)


def print_florence_report(report: "FlorenceReport") -> None:
    """Print a table that names the protocol and its settings."""
    from rich.console import Console
    from rich.text import Text

    from mlanet.evaluation.florence_report import FIGURES, shown_mean_and_sd

    content = report.as_dict()
    table = titled_table(
        f"{report.method} on MICC Florence, mean ± sd over subjects", content["protocol"]
    )
    table.add_column("setting")
    for heading in ("subjects", *FIGURES.values()):
        table.add_column(heading, justify="right")
    for setting, values in content["settings"].items():
        cells = [shown_mean_and_sd(values[name]) for name in FIGURES]
        table.add_row(Text(setting), str(values["subjects"]), *cells)
    Console().print(table)


def versions_of(weights: Path | None) -> dict[str, str]:
    """Versions of mlanet, its assets and the user's network."""
    from mlanet import __version__
    from mlanet.assets import asset_records

    versions = {"mlanet": __version__}
    versions |= {name: record.version for name, record in asset_records().items()}
    if weights is not None:
        versions["mobile"] = f"{weights.name}, sha256 {sha256(weights.read_bytes()).hexdigest()}"
    return versions


def _check(threads: int, out: Path | None) -> None:
    if threads < 1:
        raise UsageError(f"--threads must be positive, got {threads}")
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file, not a folder")


def _refinement() -> "Callable[[Reconstruction], Reconstruction]":
    from mlanet.fitting import refine

    return lambda face: refine([face])[0]
