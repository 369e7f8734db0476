"""`mlanet evaluate`: measure the shipped network under a named protocol."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mlanet.errors import UsageError

if TYPE_CHECKING:
    from mlanet.evaluation import AFLW2000Report


def aflw2000(
    *,
    data: Path,
    annotations: Path,
    out: Path,
    annotation: Literal["original", "reannotated"] = "original",
    crop: Literal["ground-truth", "detector"] = "ground-truth",
    threads: int = 1,
    weights: Path | None = None,
) -> int:
    """Sparse alignment (nme_2d_68) and head pose on AFLW2000-3D.

    Writes report.json, errors.csv and worst.png (the ten worst faces) and prints the figures.

    Args:
        data: Folder of AFLW2000-3D (imageNNNNN.jpg and .mat), or its tar file.
        annotations: annotations.npz with name, pts68_original, pts68_reannotated, yaw_deg and
            roi_box.
        out: Folder for the report.
        annotation: Landmarks to compare with: the data set's own or the re-annotated ones.
        crop: Cut faces by the protocol's ground-truth boxes or by mlanet's own detector.
        threads: CPU threads.
        weights: A network of your own, written by mlanet export.

    Returns:
        Exit status.
    """
    from rich.console import Console
    from rich.progress import Progress

    from mlanet import __version__
    from mlanet.assets import asset_records
    from mlanet.datasets import AFLW2000, AFLW2000Annotations
    from mlanet.evaluation import evaluate_aflw2000, write_worst
    from mlanet.reconstructor import Reconstructor

    if threads < 1:
        raise UsageError(f"--threads must be positive, got {threads}")
    reconstructor = Reconstructor.load(threads=threads, weights=weights)
    truth = AFLW2000Annotations.load(annotations)
    dataset = AFLW2000(data)
    versions = {"mlanet": __version__}
    versions |= {name: record.version for name, record in asset_records().items()}
    if weights is not None:
        versions["mobile"] = f"{weights.name}, sha256 {sha256(weights.read_bytes()).hexdigest()}"
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("AFLW2000-3D", total=len(truth.names))
        report = evaluate_aflw2000(
            reconstructor,
            dataset,
            truth,
            annotation=annotation,
            crop=crop,
            versions=versions,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    print_report(report)
    path = report.save(out)
    write_worst(out, report, reconstructor, dataset, truth)
    written = f"{path}, errors.csv and worst.png written"
    Console().print(written, highlight=False, markup=False, soft_wrap=True)
    return 0


def print_report(report: "AFLW2000Report") -> None:
    """Print a table that names the protocol, annotation, crop and numbers of images."""
    from rich.console import Console
    from rich.table import Table

    content = report.as_dict()
    nme, pose = content["nme_2d_68"], content["pose_mae_deg"]
    table = Table(
        title=f"AFLW2000-3D, {report.annotation} annotation, {report.crop} crop",
        caption=content["protocol"],
    )
    table.add_column("|yaw|")
    for heading in ("images", "missed", "nme_2d_68 %"):
        table.add_column(heading, justify="right")
    for name, count in content["images_per_bin"].items():
        missed = content["missed_per_bin"][name]
        table.add_row(name, str(count), str(missed), _figure(nme[name]))
    table.add_section()
    table.add_row(
        "mean of bins", str(content["images"]), str(content["missed"]), _figure(nme["mean"])
    )
    if report.missed:
        table.add_row("missed as 100 %", "", "", _figure(content["mean_missed_as_100"]))
    console = Console()
    console.print(table)
    angles = ", ".join(f"{name} {_figure(pose[name])}" for name in ("pitch", "yaw", "roll", "mean"))
    console.print(
        f"head pose MAE in degrees over {pose['images']} images within ±99°: {angles}",
        highlight=False,
    )
    for entry in content["worst"][:3]:
        console.print(f"worst: {entry['name']} {_figure(entry['nme_2d_68'])} %", highlight=False)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
