"""`mlanet evaluate`: measure the shipped network under a named protocol."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mlanet.cli.extras import require_torch
from mlanet.cli.outputs import check_file, check_folder
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from mlanet.datasets import AFLW2000Annotations
    from mlanet.datasets.aflw2000_annotations import AnnotationKind
    from mlanet.evaluation import AFLW2000Report, CropSource, DenseProtocol, NetworkSource
    from mlanet.evaluation.aflw2000 import FaceSource
    from mlanet.evaluation.page import Table
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor


def aflw2000(
    *,
    data: Path,
    annotations: Path | None = None,
    only: Path | None = None,
    out: Path,
    annotation: Literal["original", "reannotated"] = "original",
    crop: Literal["ground-truth", "detector"] = "ground-truth",
    threads: int = 1,
    weights: Path | None = None,
    model: Path | None = None,
    predictions: Path | None = None,
    name: str = "",
    save_predictions: Path | None = None,
    basel: Path | None = None,
    fitted_tones: bool = False,
) -> int:
    """Sparse and dense alignment, 3D reconstruction and head pose on AFLW2000-3D.

    Writes report.json, errors.csv, report.md, report.html, worst.png and random.png (ten faces
    each) and prints the figures.

    Args:
        data: Folder of AFLW2000-3D (imageNNNNN.jpg and .mat), or its tar file.
        annotations: AFLW2000-3D-Reannotated.pts68.npy of 3DDFA, for --annotation reannotated; or an
            npz file of both annotations (docs/how-to/evaluate-aflw2000.md). Without it the data
            set's .mat files
            are all that is read.
        only: A text file with names of pictures (image00002.jpg), one a line: evaluate these alone,
            of whatever the other two hold.
        out: Folder for the report.
        annotation: Landmarks to compare with: the data set's own or the re-annotated ones.
        crop: Cut faces by the protocol's ground-truth boxes or by mlanet's own detector.
        threads: Images that are worked on at once.
        weights: A network of your own, written by mlanet export.
        model: The face model whose coefficients it regresses, if it is not the embedded one.
        predictions: Score another method's answers instead: an npz file with names, landmarks and
            perhaps angles_deg and vertices (docs/how-to/evaluate-aflw2000.md).
        name: What the report calls the method.
        save_predictions: Also write what was scored, in the format of --predictions; with --basel,
            its vertices, too.
        basel: 3DDFA's Model_Shape.mat (with Model_Expression.mat beside it), or what mlanet models
            convert made of it: scores dense alignment and 3D reconstruction, too.
        fitted_tones: Tell skin tones, for the errors by group, by the albedo that --refine of
            mlanet reconstruct fits, not by the network's: seconds for each face (needs the train
            extra).

    Returns:
        Exit status.
    """
    from rich.console import Console

    from mlanet import __version__
    from mlanet.datasets import AFLW2000, read_annotations
    from mlanet.evaluation import DenseProtocol, only_named, score_aflw2000, write_report
    from mlanet.morphable import MorphableModel

    own = (weights, model) != (None, None) or crop != "ground-truth" or fitted_tones
    if predictions is not None and own:
        raise UsageError("--predictions come with their own crop and weights")
    if model is not None and basel is not None:
        raise UsageError("--basel compares faces of the embedded model: not with --model")
    if fitted_tones:
        require_torch()
    positive(threads)
    check_folder("--out", out)
    if save_predictions is not None:
        check_file("--save-predictions", save_predictions)
    dataset = AFLW2000(data)
    truth = read_annotations(annotations, dataset)
    if only is not None:
        truth = only_named(truth, only)
    versions = {"mlanet": __version__}
    dense = None
    if basel is not None:
        dense = DenseProtocol.load(basel, MorphableModel.load())
        versions["basel"] = f"{dense.basel.name}, sha256 {dense.basel.provenance.sha256}"
    if predictions is None:
        source = _own_faces(truth, annotation, crop, weights, model, dense, fitted_tones)
        reconstructor = source.predictor
    else:
        source, reconstructor = _given_faces(predictions, truth, dense), None
    with progress_bar("AFLW2000-3D") as progress:
        report = score_aflw2000(
            source,
            dataset,
            truth,
            annotation=annotation,
            crop=crop if predictions is None else "unknown",
            method=name or ("mlanet" if predictions is None else predictions.stem),
            dense=dense,
            keep_vertices=save_predictions is not None,
            fitted_tones=fitted_tones,
            versions=versions | _versions(weights, predictions),
            progress=progress,
            workers=threads,
        )
    written = write_report(out, report, reconstructor, dataset, truth, threads)
    if save_predictions is not None:
        report.predictions.save(save_predictions)
        written.append(save_predictions)
    print_report(report)
    for line in dataset.skipped.lines():
        print(line, file=sys.stderr)
    names = ", ".join(path.name for path in written[1:])
    text = f"{written[0]}, {names} written"
    Console().print(text, highlight=False, markup=False, soft_wrap=True)
    return 0


def _own_faces(
    truth: "AFLW2000Annotations",
    annotation: "AnnotationKind",
    crop: "CropSource",
    weights: Path | None,
    model: Path | None,
    dense: "DenseProtocol | None",
    fitted_tones: bool,
) -> "NetworkSource[Reconstructor]":
    from mlanet.evaluation import NetworkSource, SkinTone
    from mlanet.reconstructor import Reconstructor

    reconstructor = Reconstructor.load(weights=weights, model=model)
    tone = SkinTone(reconstructor.model) if reconstructor.model.has_albedo else None
    if fitted_tones and tone is None:
        raise UsageError(f"--fitted-tones: the face model {reconstructor.model.name} has no albedo")

    def skin_tone(face: "Reconstruction") -> float:
        assert tone is not None
        if fitted_tones:
            from mlanet.fitting import refine  # which needs torch

            face = refine([face])[0]
        return tone(face.coefficients)

    return NetworkSource(
        reconstructor,
        truth,
        annotation,
        crop,
        skin_tone=None if tone is None else skin_tone,
        vertices=None if dense is None else dense.carried,
    )


def _given_faces(
    path: Path, truth: "AFLW2000Annotations", dense: "DenseProtocol | None"
) -> "FaceSource":
    from mlanet.evaluation import Predictions

    given = Predictions.load(path)
    given.require(truth.names)
    if dense is not None and given.vertices is None:
        raise UsageError(f"--basel needs the array 'vertices' in {path}")
    return given.source


def _versions(weights: Path | None, predictions: Path | None) -> dict[str, str]:
    """What the figures depend on: hashes of the user's files, versions of what ships."""
    from mlanet.assets import asset_records

    if predictions is not None:
        return {"predictions": _named(predictions)}
    shipped = {key: record.version for key, record in asset_records().items()}
    return shipped if weights is None else shipped | {"mobile": _named(weights)}


def _named(path: Path) -> str:
    return f"{path.name}, sha256 {sha256(path.read_bytes()).hexdigest()}"


def compare(
    reports: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    /,
    *,
    out: Path | None = None,
) -> int:
    """Reports of one protocol side by side, and differences to the first with their intervals.

    Args:
        reports: Files report.json of mlanet evaluate.
        out: Also write the tables into this Markdown file, and tables and curves into the HTML
            file of the same name beside it.

    Returns:
        Exit status.
    """
    from rich.console import Console

    from mlanet.evaluation import comparison_page, load_runs
    from mlanet.evaluation.page import html, markdown
    from mlanet.evaluation.report_file import write_texts

    if len(reports) < 2:
        raise UsageError(f"compare needs at least two files report.json, got {len(reports)}")
    if out is not None:
        check_file("--out", out)
    runs = load_runs(reports)
    page = comparison_page(runs)
    if out is not None:
        name = out.stem + ".md" if out.suffix == ".html" else out.name
        write_texts(out.parent, {name: markdown(page), f"{out.stem}.html": html(page)})
    console = Console()
    for table in page.tables:
        console.print(rich_table(table))
    return 0


def positive(threads: int) -> int:
    """A number of threads, refused if there would be none."""
    if threads < 1:
        raise UsageError(f"--threads must be positive, got {threads}")
    return threads


@contextmanager
def progress_bar(name: str) -> Generator[Callable[[int, int], None], None, None]:
    """A bar on stderr while it is needed, and what moves it."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def rich_table(table: "Table") -> "RichTable":
    """A report's table for the terminal; its text is shown as it is, markup is none."""
    from rich.text import Text

    found = titled_table(table.title, table.note)
    for number, heading in enumerate(table.columns):
        side = "right" if number else "left"
        found.add_column(Text(heading), justify=side, overflow="fold")
    for row in table.rows:
        found.add_row(*map(Text, row))
    return found


def titled_table(title: str, caption: str = "") -> "RichTable":
    """An empty table for the terminal; brackets in its title and caption are no markup."""
    from rich.table import Table as RichTable
    from rich.text import Text

    below = Text(caption, style="table.caption") if caption else None
    return RichTable(title=Text(title, style="table.title"), caption=below)


def print_report(report: "AFLW2000Report") -> None:
    """Print a table that names the protocol, annotation, crop and numbers of images."""
    from rich.console import Console

    content = report.as_dict()
    nme, pose = content["nme_2d_68"], content["pose_mae_deg"]
    title = f"{report.method} on AFLW2000-3D, {report.annotation} annotation, {report.crop} crop"
    table = titled_table(title, content["protocol"])
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
        table.add_row("found faces only", "", "", _figure(content["nme_2d_68_found"]["mean"]))
    console = Console(markup=False, highlight=False)
    console.print(table)
    angles = ", ".join(f"{name} {_figure(pose[name])}" for name in ("pitch", "yaw", "roll", "mean"))
    console.print(
        f"head pose MAE in degrees over {pose['images']} found faces within ±99°: {angles}",
    )
    for figure, value in (content["dense"] or {}).items():
        mean = _figure(value["mean"])
        console.print(
            f"{figure} in percent, mean of bins: {mean} over {content['dense_images']} images"
        )
    curve = content["cumulative_error"]
    console.print(
        f"area under the cumulative error curve to {curve['limit']:g} % of"
        f" {curve['normalizer']}: {curve['auc']:.3f}; {content['images_per_second']} images/s",
    )
    for entry in content["worst"][:3]:
        error = entry["nme_2d_68"]
        console.print(
            f"worst: {entry['name']} " + ("missed" if error is None else f"{error:.3f} %")
        )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
