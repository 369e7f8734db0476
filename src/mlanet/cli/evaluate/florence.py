"""`mlanet evaluate florence`."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mlanet.cli.common import (
    EXIT_FAILED,
    EXIT_OK,
    SomePath,
    positive,
    progress_bar,
    require_surfaces,
    say,
)
from mlanet.cli.evaluate.common import (
    ExchangeFiles,
    ExchangeOptions,
    Method,
    MethodOptions,
    given_meshes,
    publish,
    signed,
)


def florence(
    *,
    data: Path,
    out: SomePath = None,
    every: int = 10,
    method: MethodOptions = Method(),
    files: ExchangeOptions = ExchangeFiles(),
) -> int:
    """Distance to scans in mm on MICC Florence (point_to_plane_mm).

    Writes report.json, subjects.csv, report.md and report.html (with curves and pictures) and
    prints the figures. What is missing, cannot be read or shows no face is left out and named.
    Scans are annotated by NAME.ljson beside NAME.obj, or else by the network that mlanet ships,
    whatever --weights says. --predictions is a folder of subject_XX/SETTING.obj or .ply with .npy.

    Args:
        data: Folder of the data set, with subject_XX/Model and subject_XX/Video.
        out: Folder for the report.
        every: Of so many frames of a video, one is used.
        method: What is evaluated.
        files: For and of other methods.

    Returns:
        Exit status: 0 all done, 1 something was left out.
    """
    files.check(method, out)
    positive(every=every)
    from mlanet.evaluation.florence.layout import florence_subjects, setting_names, write_frames
    from mlanet.evaluation.florence.pictures import FlorencePictures
    from mlanet.evaluation.florence.report import florence_report
    from mlanet.evaluation.florence.scoring import GivenFaces, VideoFaces, score_florence
    from mlanet.evaluation.surfaces.mesh_folder import MeshWriter
    from mlanet.reconstructor import Reconstructor

    subjects = florence_subjects(data)
    if files.write_pictures is not None:
        with progress_bar("MICC Florence") as progress:
            frames = write_frames(files.write_pictures, subjects, every, progress)
        say(f"{files.write_pictures}: pictures of {len(frames.names)} settings written")
        return _left_out(frames.skipped)
    require_surfaces()
    tested = shipped = Reconstructor.load(threads=method.threads)
    versions = {"annotator of scans": Method().versions()["mobile"]}
    meshes = None
    if method.predictions is None:
        if method.weights is not None:
            tested = Reconstructor.load(threads=method.threads, weights=method.weights)
        source = VideoFaces(tested, every)
    else:
        meshes, version = given_meshes(
            method.predictions, shipped.model, setting_names(subjects), missed_too=False
        )
        source, versions = GivenFaces(meshes), versions | version
    keep = None if files.save_predictions is None else MeshWriter(files.save_predictions)
    started = time.perf_counter()
    with progress_bar("MICC Florence") as progress:
        scores = score_florence(
            source, shipped.model, subjects, annotator=shipped, keep=keep, progress=progress
        )
    if keep is not None:
        keep.finish()
    report = florence_report(scores, every=every if meshes is None else None)
    pictures = FlorencePictures(tested, subjects, every, meshes).grids(scores.results)
    publish(replace(signed(report, method, started, versions), pictures=pictures), out)
    return _left_out(scores.skipped)


def _left_out(lines: Sequence[str]) -> int:
    """Name what was left out; the exit status says whether anything was."""
    for line in lines:
        print(f"mlanet: left out: {line}", file=sys.stderr)
    return EXIT_FAILED if lines else EXIT_OK
