"""`mlanet evaluate scans`."""

import time
from dataclasses import replace
from pathlib import Path

from mlanet.cli.common import EXIT_OK, Flag, SomePath, progress_bar, require_surfaces, say
from mlanet.cli.evaluate.common import (
    ExchangeFiles,
    ExchangeOptions,
    Method,
    MethodOptions,
    given_meshes,
    publish,
    signed,
)
from mlanet.errors import UsageError


def scans(
    *,
    data: Path,
    out: SomePath = None,
    refine: Flag = False,
    method: MethodOptions = Method(),
    files: ExchangeOptions = ExchangeFiles(),
) -> int:
    """Rendered-scan check: known heads photographed, reconstructed, compared in mm.

    Not MICC Florence, though its distance is measured: two textured scans and twenty random heads
    of FLAME Open from seven angles under five lights. Prints the figures, the scans' first; with
    --out, writes report.json, portraits.csv, report.md, report.html and grid.png. --predictions is
    a folder of NAME.obj or .ply with NAME.npy for each picture NAME of --write-pictures.

    Args:
        data: Folder with scans and flame_open.
        out: Folder for the report.
        refine: Bring each face's shape nearer to the picture's shading, too.
        method: What is evaluated.
        files: For and of other methods.
    """
    files.check(method, out, needs_out=False)
    if refine and method.predictions is not None:
        raise UsageError("--predictions are scored as they are, without --refine")
    from mlanet.evaluation.scans.known_heads import known_heads
    from mlanet.evaluation.scans.pictures import portrait_grid
    from mlanet.evaluation.scans.portraits import portraits_of, write_portraits
    from mlanet.evaluation.scans.report import scan_report
    from mlanet.evaluation.scans.scoring import (
        GivenPortraits,
        ReconstructedPortraits,
        score_scans,
    )
    from mlanet.evaluation.surfaces.mesh_folder import MeshWriter
    from mlanet.morphable import load_model
    from mlanet.reconstructor import Reconstructor

    require_surfaces()
    model = load_model()
    portraits = portraits_of(known_heads(data, model))
    if files.write_pictures is not None:
        with progress_bar("Portraits") as progress:
            write_portraits(files.write_pictures, portraits, progress=progress)
        say(f"{files.write_pictures}: {len(portraits)} pictures and pictures.csv written")
        return EXIT_OK
    versions: dict[str, str] = {}
    if method.predictions is None:
        reconstructor = Reconstructor.load(threads=method.threads, weights=method.weights)
        from mlanet.fitting import refine_face

        source = ReconstructedPortraits(reconstructor, refine_face if refine else None)
    else:
        names = [portrait.name for portrait in portraits]
        meshes, version = given_meshes(method.predictions, model, names, missed_too=True)
        source, versions = GivenPortraits(meshes), version
    keep = None if files.save_predictions is None else MeshWriter(files.save_predictions)
    started = time.perf_counter()
    with progress_bar("Rendered scans") as progress:
        results = score_scans(source, model, portraits, keep=keep, progress=progress)
    if keep is not None:
        keep.finish()
    report = signed(scan_report(results, refined=refine), method, started, versions)
    if out is not None:
        report = replace(report, pictures=(portrait_grid(source, portraits, results),))
    publish(report, out)
    return EXIT_OK
