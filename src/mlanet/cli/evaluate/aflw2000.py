"""`mlanet evaluate aflw2000`."""

import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mlanet.cli.common import (
    EXIT_OK,
    Flag,
    SomePath,
    check_file,
    check_folder,
    progress_bar,
    require_torch,
)
from mlanet.cli.evaluate.common import AFLW2000Options, Method, MethodOptions, publish, signed
from mlanet.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlanet.evaluation import Predictions
    from mlanet.evaluation.aflw2000.dense import DenseProtocol
    from mlanet.reconstruction import Reconstruction
    from mlanet.reconstructor import Reconstructor


@dataclass(frozen=True, slots=True)
class Measures:
    """What is measured, and how."""

    annotation: Literal["original", "reannotated"] = "original"
    """Landmarks to compare with: the data set's own or the re-annotated ones."""

    crop: Literal["ground-truth", "detector"] = "ground-truth"
    """Cut faces by the protocol's ground-truth boxes or by mlanet's own detector."""

    refine: Flag = False
    """Bring each face's shape nearer to the picture's shading, too, as mlanet reconstruct does."""

    basel: SomePath = None
    """3DDFA's Model_Shape.mat (with Model_Expression.mat beside it), or what mlanet models convert
    made of it: scores dense alignment and 3D reconstruction, too."""

    fitted_tones: Flag = False
    """Tell skin tones, for the errors by group, by the albedo that mlanet fit
    fits, not by the network's: seconds for each face (needs the train extra)."""


def aflw2000(
    *,
    files: AFLW2000Options,
    out: Path,
    method: MethodOptions = Method(),
    model: SomePath = None,
    measures: Annotated[Measures, tyro.conf.OmitArgPrefixes] = Measures(),
    save_predictions: SomePath = None,
) -> int:
    """Sparse and dense alignment, 3D reconstruction and head pose on AFLW2000-3D.

    Writes report.json, images.csv, report.md, report.html, worst.png and random.png (ten faces
    each) and prints the figures.

    Args:
        files: The pictures.
        out: Folder for the report.
        method: What is evaluated.
        model: The face model whose coefficients the network regresses, if it is not the embedded
            one.
        measures: What is measured.
        save_predictions: Also write what was scored into this file, in the format of
            --predictions; with --basel, its vertices, too.
    """
    _check(method, model, measures)
    check_folder("--out", out)
    if save_predictions is not None:
        check_file("--save-predictions", save_predictions)
    from mlanet.evaluation import NetworkSource, aflw2000_report, score_aflw2000
    from mlanet.evaluation.aflw2000.dense import DenseProtocol
    from mlanet.evaluation.aflw2000.pictures import FacePictures
    from mlanet.evaluation.aflw2000.predictions import predictions_of
    from mlanet.fitting import refine_face
    from mlanet.morphable import load_model
    from mlanet.reconstructor import Reconstructor

    dataset, truth = files.load()
    versions, dense = dict[str, str](), None
    if measures.basel is not None:
        dense = DenseProtocol.load(measures.basel, load_model())
        versions["basel"] = f"{dense.basel.name}, sha256 {dense.basel.provenance.sha256}"
    pictures = FacePictures(None, dataset, truth, measures.annotation, measures.crop)
    if method.predictions is None:
        reconstructor = Reconstructor.load(weights=method.weights, model=model)
        source = NetworkSource(
            reconstructor,
            truth,
            measures.annotation,
            measures.crop,
            refine_face if measures.refine else None,
            skin_tone=_skin_tone(reconstructor, fitted=measures.fitted_tones),
            vertices=None if dense is None else dense.carried,
        )
        pictures = replace(pictures, reconstructor=reconstructor)
    else:
        source = _given(method.predictions, truth.names, dense).source
    started = time.perf_counter()
    with progress_bar("AFLW2000-3D") as progress:
        results = score_aflw2000(
            source,
            dataset,
            truth,
            annotation=measures.annotation,
            dense=dense,
            keep_vertices=save_predictions is not None,
            progress=progress,
            workers=method.threads,
        )
    report = signed(
        aflw2000_report(
            results,
            measures.annotation,
            "unknown" if method.predictions is not None else measures.crop,
            "fitted" if measures.fitted_tones else "predicted",
            refined=measures.refine,
        ),
        method,
        started,
        versions,
    )
    if save_predictions is not None:
        predictions_of(results).save(save_predictions)
    report = replace(report, pictures=pictures.grids(results, method.threads))
    publish(report, out, [] if save_predictions is None else [save_predictions])
    for line in dataset.skipped.lines():
        print(line, file=sys.stderr)
    return EXIT_OK


def _check(method: Method, model: Path | None, measures: Measures) -> None:
    method.check()
    own = (method.weights, model) != (None, None) or measures.crop != "ground-truth"
    if method.predictions is not None and (own or measures.fitted_tones):
        raise UsageError("--predictions come with their own crop and weights")
    if method.predictions is not None and measures.refine:
        raise UsageError("--predictions are scored as they are, without --refine")
    if model is not None and measures.basel is not None:
        raise UsageError("--basel compares faces of the embedded model: not with --model")
    if measures.fitted_tones:
        require_torch()


def _skin_tone(
    reconstructor: "Reconstructor", *, fitted: bool
) -> "Callable[[Reconstruction], float] | None":
    """Tells the skin tone of a face by its albedo; None if the face model has none."""
    from mlanet.evaluation.aflw2000.groups import SkinTone

    if not reconstructor.model.has_albedo:
        if fitted:
            name = reconstructor.model.name
            raise UsageError(f"--fitted-tones: the face model {name} has no albedo")
        return None
    tone = SkinTone(reconstructor.model)

    def skin_tone(face: "Reconstruction") -> float:
        if fitted:
            from mlanet.fitting import refine  # which needs torch

            face = refine([face])[0]
        return tone(face.coefficients)

    return skin_tone


def _given(path: Path, names: "tuple[str, ...]", dense: "DenseProtocol | None") -> "Predictions":
    from mlanet.evaluation import Predictions

    given = Predictions.load(path)
    given.require(names)
    if dense is not None and given.vertices is None:
        raise UsageError(f"--basel needs the array 'vertices' in {path}")
    return given
