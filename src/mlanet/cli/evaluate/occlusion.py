"""`mlanet evaluate occlusion`."""

import time
from dataclasses import dataclass, replace
from typing import Annotated

import tyro

from mlanet.cli.common import EXIT_OK, SomePath, progress_bar, say
from mlanet.cli.evaluate.common import (
    AFLW2000Options,
    ExchangeFiles,
    Method,
    MethodOptions,
    publish,
    signed,
)
from mlanet.errors import UsageError


@dataclass(frozen=True, slots=True)
class Occluders:
    """What is drawn before the faces."""

    shares: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)
    """Of the face that patches cover."""

    seed: int = 0
    """Of the occluders."""


def occlusion(
    *,
    files: AFLW2000Options,
    out: SomePath = None,
    occluders: Annotated[Occluders, tyro.conf.OmitArgPrefixes] = Occluders(),
    method: MethodOptions = Method(),
    write_pictures: SomePath = None,
) -> int:
    """Error on AFLW2000-3D as drawn patches, sunglasses and masks cover the faces.

    Writes report.json, images.csv, report.md and report.html (with a curve and pictures) and prints
    the figures. --predictions is a folder with an npz file for each condition.

    Args:
        files: The pictures.
        out: Folder for the report; needed but with --write-pictures.
        occluders: What is drawn.
        method: What is evaluated.
        write_pictures: Write the pictures into this folder for other methods, and nothing else.
    """
    kept = out if write_pictures is None else None
    ExchangeFiles(write_pictures=write_pictures).check(method, kept)
    if occluders.seed < 0:
        raise UsageError(f"--seed must not be negative, got {occluders.seed}")
    from mlanet.evaluation import NetworkSource
    from mlanet.evaluation.occlusion.pictures import occlusion_grids
    from mlanet.evaluation.occlusion.report import occlusion_report
    from mlanet.evaluation.occlusion.scoring import given_faces, score_occlusion, write_covered
    from mlanet.reconstructor import Reconstructor

    dataset, truth = files.load()
    shares, seed = occluders.shares, occluders.seed
    if write_pictures is not None:
        with progress_bar("Pictures") as progress:
            conditions = write_covered(
                write_pictures, dataset, truth, shares=shares, seed=seed, progress=progress
            )
        say(f"{write_pictures}: pictures of {', '.join(conditions)} written")
        return EXIT_OK
    if method.predictions is None:
        source = NetworkSource(Reconstructor.load(weights=method.weights), truth)
    else:
        source = given_faces(method.predictions, truth, shares)
    started = time.perf_counter()
    with progress_bar("Occluders") as progress:
        results = score_occlusion(
            source,
            dataset,
            truth,
            shares=shares,
            seed=seed,
            workers=method.threads,
            progress=progress,
        )
    report = signed(occlusion_report(results, seed), method, started)
    publish(replace(report, pictures=occlusion_grids(results, dataset, truth, seed)), out)
    return EXIT_OK
