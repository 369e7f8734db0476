"""`mlanet evaluate identity`."""

import time
from pathlib import Path
from typing import Literal

from mlanet.cli.common import EXIT_OK, check_folder, progress_bar
from mlanet.cli.evaluate.common import Method, MethodOptions, publish, signed


def identity(
    *,
    data: Path,
    out: Path,
    people: Literal["all", "unseen"] = "all",
    method: MethodOptions = Method(),
) -> int:
    """Verification of people by identity coefficients: AUC and equal error rate.

    Writes report.json, report.md and report.html (with ROC curves) and prints the figures.
    --predictions is an npz file with names of the frames and identity, a vector for each.

    Args:
        data: Folder with labels.npz (name, pts68_px, identity) and tar files of video frames, or
            one that holds it as ytf68.
        out: Folder for the report.
        people: Whom to compare: all, or the fourth of them that our training leaves out.
        method: What is evaluated.
    """
    check_folder("--out", out)
    method.check()
    from mlanet.datasets import FaceCrops
    from mlanet.evaluation.identity.scoring import (
        describe_frames,
        given_descriptions,
        identity_report,
    )
    from mlanet.reconstructor import Reconstructor

    started = time.perf_counter()
    faces = FaceCrops(data / "ytf68" if (data / "ytf68").is_dir() else data)
    if method.predictions is not None:
        descriptions = given_descriptions(method.predictions, faces)
    else:
        reconstructor = Reconstructor.load(threads=method.threads, weights=method.weights)
        with progress_bar("Frames") as progress:
            descriptions = describe_frames(reconstructor, faces, progress)
    report = identity_report(descriptions, faces, unseen=people == "unseen")
    publish(signed(report, method, started), out)
    return EXIT_OK
