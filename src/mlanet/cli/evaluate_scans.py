"""`mlanet evaluate florence` and `mlanet evaluate scans`: millimetres against scans."""

import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from mlanet.cli.evaluate import positive, progress_bar, titled_table
from mlanet.cli.extras import require_torch
from mlanet.cli.outputs import check_folder
from mlanet.cli.status import EXIT_FAILED, EXIT_OK
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlanet.evaluation.florence_report import FlorenceReport
    from mlanet.evaluation.meshes import MeshFolder
    from mlanet.evaluation.scan_report import ScanReport
    from mlanet.morphable import MorphableModel
    from mlanet.reconstruction import Reconstruction


def florence(
    *,
    data: Path,
    out: Path | None = None,
    every: int = 10,
    threads: int = 1,
    weights: Path | None = None,
    predictions: Path | None = None,
    name: str = "",
    save_predictions: Path | None = None,
    write_pictures: Path | None = None,
) -> int:
    """Distance to scans in mm on MICC Florence (point_to_plane_mm).

    Writes report.json, subjects.csv, report.md and report.html (with curves and pictures) and
    prints the figures. What is missing, cannot be read or shows no face is left out and named.
    Scans are annotated by NAME.ljson beside NAME.obj, or else by the network that mlanet ships,
    whatever --weights says.

    Args:
        data: Folder of the data set, with subject_XX/Model and subject_XX/Video.
        out: Folder for the report.
        every: Of so many frames of a video, one is used.
        threads: CPU threads.
        weights: A network of your own, written by mlanet export.
        predictions: Score another method's meshes instead: a folder of subject_XX/SETTING.obj or
            .ply with .npy (docs/how-to/evaluate-scans.md).
        name: What the report calls the method.
        save_predictions: Also write the faces that were scored, in the format of --predictions.
        write_pictures: Write the frames as pictures into this folder for other methods, and
            nothing else.

    Returns:
        Exit status: 0 all done, 1 something was left out.
    """
    _check(threads, out, weights, predictions, write_pictures, save_predictions)
    if every < 1:
        raise UsageError(f"--every must be positive, got {every}")
    from mlanet.evaluation.florence import GivenFaces, KeptFaces, VideoFaces, score_florence
    from mlanet.evaluation.florence_pictures import FlorencePictures
    from mlanet.evaluation.florence_videos import florence_subjects, setting_names, write_frames
    from mlanet.evaluation.report_file import write_pages
    from mlanet.evaluation.scan_pages import florence_page
    from mlanet.reconstructor import Reconstructor

    subjects = florence_subjects(data)
    if write_pictures is not None:
        with progress_bar("MICC Florence") as progress:
            frames = write_frames(write_pictures, subjects, every, progress)
        say(f"{write_pictures}: pictures of {len(frames.names)} settings written")
        return _left_out(frames.skipped)
    assert out is not None, "checked above"
    tested = shipped = Reconstructor.load(threads=threads)
    meshes = None
    if predictions is None:
        if weights is not None:
            tested = Reconstructor.load(threads=threads, weights=weights)
        source, versions = VideoFaces(tested, every), versions_of(weights)
    else:
        meshes, versions = _given(
            predictions, shipped.model, setting_names(subjects), missed_too=False
        )
        source = GivenFaces(meshes)
    kept = None if save_predictions is None else KeptFaces(source, save_predictions)
    with progress_bar("MICC Florence") as progress:
        report = score_florence(
            kept or source,
            shipped.model,
            subjects,
            annotator=shipped,
            every=every if predictions is None else None,
            versions=versions | {"annotator of scans": versions_of(None)["mobile"]},
            method=method_name(name, predictions),
            progress=progress,
        )
    path = report.save(out)
    pictures = FlorencePictures(tested, subjects, every, meshes)
    write_pages(out, florence_page(report, pictures.grids(report)))
    _save_missed(save_predictions, [] if kept is None else kept.missed)
    print_florence_report(report)
    say(f"{path}, subjects.csv, report.md and report.html written")
    return _left_out(report.skipped)


def scans(
    *,
    data: Path,
    out: Path | None = None,
    refine: bool = False,
    threads: int = 1,
    weights: Path | None = None,
    predictions: Path | None = None,
    name: str = "",
    save_predictions: Path | None = None,
    write_pictures: Path | None = None,
) -> int:
    """Rendered-scan check: known heads photographed, reconstructed, compared in mm.

    Not MICC Florence, though its distance is measured: two textured scans and twenty random heads
    of FLAME Open from seven angles under five lights. Prints the figures, the scans' first; with
    --out, writes report.json, portraits.csv, report.md, report.html and grid.png.

    Args:
        data: Folder with scans and flame_open.
        out: Folder for the report.
        refine: Fit each face to the picture's pixels, too (needs the train extra).
        threads: CPU threads.
        weights: A network of your own, written by mlanet export.
        predictions: Score another method's meshes instead: a folder of NAME.obj or .ply with
            NAME.npy for each picture NAME of --write-pictures (docs/how-to/evaluate-scans.md).
        name: What the report calls the method.
        save_predictions: Also write the faces that were scored, in the format of --predictions.
        write_pictures: Write the portraits into this folder for other methods, and nothing else.

    Returns:
        Exit status.
    """
    _check(threads, out, weights, predictions, write_pictures, save_predictions, needs_out=False)
    if refine and predictions is not None:
        raise UsageError("--predictions are scored as they are, without --refine")
    if refine:
        require_torch()
    from mlanet.evaluation.known_heads import known_heads
    from mlanet.evaluation.portraits import portrait_names, write_portraits
    from mlanet.evaluation.report_file import write_pages
    from mlanet.evaluation.scan_pages import scan_page
    from mlanet.evaluation.scan_pictures import (
        COLUMNS,
        MESH_COLUMNS,
        mesh_rows,
        scan_rows,
        write_scan_grid,
    )
    from mlanet.evaluation.scans import (
        GivenPortraits,
        KeptPortraits,
        ReconstructedPortraits,
        score_scans,
    )
    from mlanet.morphable import MorphableModel
    from mlanet.reconstructor import Reconstructor

    model = MorphableModel.load()
    heads = known_heads(data, model)
    if write_pictures is not None:
        with progress_bar("Portraits") as progress:
            names = write_portraits(write_pictures, heads, progress=progress)
        say(f"{write_pictures}: {len(names)} pictures and pictures.csv written")
        return EXIT_OK
    change = _refinement() if refine else None
    if predictions is None:
        reconstructor = Reconstructor.load(threads=threads, weights=weights)
        source, versions = ReconstructedPortraits(reconstructor, change), versions_of(weights)
    else:
        reconstructor = None
        meshes, versions = _given(predictions, model, portrait_names(heads), missed_too=True)
        source = GivenPortraits(meshes)
    kept = None if save_predictions is None else KeptPortraits(source, save_predictions)
    with progress_bar("Rendered scans") as progress:
        report = score_scans(
            kept or source,
            model,
            heads,
            refined=refine,
            versions=versions,
            method=method_name(name, predictions),
            progress=progress,
        )
    _save_missed(save_predictions, [] if kept is None else kept.missed)
    written = ""
    if out is not None:
        path = report.save(out)
        if reconstructor is None:
            rows, columns = mesh_rows(source, heads), MESH_COLUMNS
        else:
            rows, columns = scan_rows(reconstructor, heads, change), COLUMNS
        write_scan_grid(out, rows)
        write_pages(out, scan_page(report, rows, columns))
        written = f"{path}, portraits.csv, report.md, report.html and grid.png written"
    print_scan_report(report)
    if written:
        say(written)
    return EXIT_OK


def _given(
    folder: Path, model: "MorphableModel", names: "Sequence[str]", *, missed_too: bool
) -> "tuple[MeshFolder, dict[str, str]]":
    """Another method's meshes, and the versions that their figures depend on."""
    from mlanet.evaluation.meshes import MeshFolder

    meshes = MeshFolder.open(folder, model.landmarks.mean, names, missed_too=missed_too)
    versions = versions_of(None)
    del versions["mobile"]
    return meshes, versions | {"predictions": f"{folder.name}, sha256 {meshes.digest(names)}"}


def method_name(name: str, predictions: Path | None) -> str:
    """What a report calls a method: its name if it has one, else its folder's."""
    return name or ("mlanet" if predictions is None else predictions.resolve().name)


def _save_missed(folder: Path | None, names: "Sequence[str]") -> None:
    from mlanet.evaluation.meshes import write_missed

    if folder is not None:
        write_missed(folder, names)


def _left_out(lines: "Sequence[str]") -> int:
    """Name what was left out; the exit status says whether anything was."""
    for line in lines:
        print(f"mlanet: left out: {line}", file=sys.stderr)
    return EXIT_FAILED if lines else EXIT_OK


def say(text: str) -> None:
    """Print a line as it is, however long."""
    from rich.console import Console

    Console().print(text, highlight=False, markup=False, soft_wrap=True)


def print_scan_report(report: "ScanReport") -> None:
    """Print a table that names the protocol and its groups of portraits."""
    from rich.console import Console
    from rich.text import Text

    content = report.as_dict()
    refined = ", refined" if report.refined else ""
    table = titled_table(f"{report.method}, rendered-scan check{refined}", content["protocol"])
    table.add_column("portraits", overflow="fold")
    for heading in ("number", "missed", "mean\nmm", "rms\nmm", "mean\nface\nmm", "gain\n%"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, group in report.groups().items():
        figures = [
            "-" if value is None else f"{value:.2f}"
            for value in (group.mean_mm, group.rms_mm, group.mean_face_mm, group.gain_percent)
        ]
        table.add_row(Text(name), str(group.portraits), str(group.missed), *figures)
    console = Console(markup=False, highlight=False)
    console.print(table)
    console.print(f"{content['coverage']:.2f} of both surfaces' area was compared")


def print_florence_report(report: "FlorenceReport") -> None:
    """Print a table that names the protocol and its settings, one column each."""
    from rich.console import Console
    from rich.text import Text

    from mlanet.evaluation.florence_report import FIGURES, shown_mean_and_sd

    content = report.as_dict()
    table = titled_table(
        f"{report.method} on MICC Florence, mean ± sd over subjects", content["protocol"]
    )
    settings = content["settings"]
    table.add_column("setting")
    for setting in settings:
        table.add_column(Text(setting), justify="right", overflow="fold")
    table.add_row("subjects", *(str(values["subjects"]) for values in settings.values()))
    for name, heading in FIGURES.items():
        table.add_row(heading, *(shown_mean_and_sd(values[name]) for values in settings.values()))
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


def _check(
    threads: int,
    out: Path | None,
    weights: Path | None,
    predictions: Path | None,
    pictures: Path | None,
    saved: Path | None,
    *,
    needs_out: bool = True,
) -> None:
    positive(threads)
    if pictures is not None and (out, weights, predictions) != (None, None, None):
        raise UsageError("--write-pictures measures nothing: no --out, --weights, --predictions")
    if needs_out and pictures is None and out is None:
        raise UsageError("--out is needed: a folder for the report")
    if predictions is not None and weights is not None:
        raise UsageError("--predictions come with their own weights")
    places = {"--out": out, "--save-predictions": saved, "--write-pictures": pictures}
    for option, folder in places.items():
        if folder is not None:
            check_folder(option, folder)


def _refinement() -> "Callable[[Reconstruction], Reconstruction]":
    from mlanet.fitting import refine

    return lambda face: refine([face])[0]
