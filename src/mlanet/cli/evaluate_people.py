"""`mlanet evaluate identity` and `mlanet evaluate occlusion`: figures of the model card."""

from pathlib import Path

from mlanet.cli.evaluate import positive, progress_bar, rich_table
from mlanet.cli.evaluate_scans import method_name, say, versions_of
from mlanet.cli.outputs import check_folder
from mlanet.cli.status import EXIT_OK
from mlanet.errors import UsageError


def identity(
    *,
    data: Path,
    out: Path,
    threads: int = 1,
    weights: Path | None = None,
    predictions: Path | None = None,
    name: str | None = None,
) -> int:
    """Verification of people by identity coefficients: AUC and equal error rate.

    Writes report.json, report.md and report.html (with ROC curves) and prints the figures.

    Args:
        data: Folder with labels.npz (name, pts68_px, identity) and tar files of video frames, or
            one that holds it as ytf68.
        out: Folder for the report.
        threads: CPU threads.
        weights: A network of your own, written by mlanet export.
        predictions: Score another method's answers instead: an npz file with names of the frames
            and identity, a vector for each.
        name: Of the network or method, in the report.

    Returns:
        Exit status.
    """
    _check(threads, out)
    if predictions is not None and weights is not None:
        raise UsageError("--predictions come with their own weights")
    from rich.console import Console
    from rich.progress import Progress

    from mlanet import __version__
    from mlanet.datasets import FaceCrops
    from mlanet.evaluation.identity import (
        evaluate_descriptions,
        evaluate_identity,
        identity_page,
        identity_tables,
    )
    from mlanet.evaluation.report_file import write_pages
    from mlanet.reconstructor import Reconstructor

    faces = FaceCrops(data / "ytf68" if (data / "ytf68").is_dir() else data)
    if predictions is not None:
        versions = {"mlanet": __version__}
        report = evaluate_descriptions(
            predictions, faces, versions=versions, method=name or predictions.stem
        )
    else:
        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("Frames", total=len(faces))
            report = evaluate_identity(
                Reconstructor.load(threads=threads, weights=weights),
                faces,
                versions=versions_of(weights),
                method=name or "mlanet",
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
    path = report.save(out)
    write_pages(out, identity_page(report))
    for table in identity_tables(report):
        Console().print(rich_table(table))
    say(f"{path}, report.md and report.html written")
    return EXIT_OK


def occlusion(
    *,
    data: Path,
    annotations: Path | None = None,
    only: Path | None = None,
    out: Path | None = None,
    shares: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4),
    seed: int = 0,
    threads: int = 1,
    weights: Path | None = None,
    predictions: Path | None = None,
    name: str = "",
    write_pictures: Path | None = None,
) -> int:
    """Error on AFLW2000-3D as drawn patches, sunglasses and masks cover the faces.

    Writes report.json, report.md and report.html (with a curve and pictures) and prints the
    figures.

    Args:
        data: Folder of AFLW2000-3D (imageNNNNN.jpg and .mat), or its tar file.
        annotations: As for mlanet evaluate aflw2000; not needed.
        only: As for mlanet evaluate aflw2000: a text file with names of pictures.
        out: Folder for the report; needed but with --write-pictures.
        shares: Of the face that patches cover.
        seed: Of the occluders.
        threads: Images that are worked on at once.
        weights: A network of your own, written by mlanet export.
        predictions: Score another method's answers to the pictures of --write-pictures instead: a
            folder with an npz file for each condition (docs/how-to/evaluate-occlusion.md).
        name: Of the network or method, in the report.
        write_pictures: Write the pictures into this folder for other methods, and nothing else.

    Returns:
        Exit status.
    """
    if predictions is not None and weights is not None:
        raise UsageError("--predictions come with their own weights")
    if write_pictures is None:
        if out is None:
            raise UsageError("--out is missing")
        _check(threads, out)
    else:
        if predictions is not None or weights is not None:
            raise UsageError("--write-pictures evaluates nothing: no --weights, no --predictions")
        check_folder("--write-pictures", write_pictures)
    from rich.console import Console

    from mlanet import __version__
    from mlanet.datasets import AFLW2000, read_annotations
    from mlanet.evaluation import NetworkSource, only_named
    from mlanet.evaluation.occlusion import evaluate_occlusion
    from mlanet.evaluation.occlusion_files import given_faces, write_covered
    from mlanet.evaluation.occlusion_pages import (
        occlusion_grids,
        occlusion_page,
        occlusion_table,
    )
    from mlanet.evaluation.report_file import write_pages
    from mlanet.reconstructor import Reconstructor

    if seed < 0:
        raise UsageError(f"--seed must not be negative, got {seed}")
    dataset = AFLW2000(data)
    truth = read_annotations(annotations, dataset)
    if only is not None:
        truth = only_named(truth, only)
    if write_pictures is not None:
        with progress_bar("Pictures") as progress:
            conditions = write_covered(
                write_pictures, dataset, truth, shares=shares, seed=seed, progress=progress
            )
        say(f"{write_pictures}: pictures of {', '.join(conditions)} written")
        return EXIT_OK
    if predictions is None:
        source = NetworkSource(Reconstructor.load(weights=weights), truth)
        versions = versions_of(weights)
    else:
        source = given_faces(predictions, truth, shares)
        versions = {"mlanet": __version__, "predictions": predictions.name}
    with progress_bar("Occluders") as progress:
        report = evaluate_occlusion(
            source,
            dataset,
            truth,
            shares=shares,
            seed=seed,
            versions=versions,
            method=method_name(name, predictions),
            workers=threads,
            progress=progress,
        )
    assert out is not None
    path = report.save(out)
    write_pages(out, occlusion_page(report, occlusion_grids(report, dataset, truth)))
    Console().print(rich_table(occlusion_table(report)))
    say(f"{path}, report.md and report.html written")
    return EXIT_OK


def _check(threads: int, out: Path) -> None:
    positive(threads)
    check_folder("--out", out)
