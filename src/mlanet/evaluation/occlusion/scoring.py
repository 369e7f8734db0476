"""Error as something covers more and more of the face: AFLW2000-3D with drawn occluders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from mlanet.datasets import AFLW2000, AFLW2000Annotations, Sample
from mlanet.evaluation.aflw2000.predictions import FacePrediction, Predictions
from mlanet.evaluation.aflw2000.results import ImageResult
from mlanet.evaluation.aflw2000.scoring import FaceSource, require_pictures, score_aflw2000
from mlanet.evaluation.exchange import write_picture
from mlanet.evaluation.occlusion.occluders import SHARES, Occluder, cover_named, occluders
from mlanet.evaluation.progress import Progress, counted

OcclusionResults: TypeAlias = dict[Occluder | None, tuple[ImageResult, ...]]
"""Results of the uncovered pictures (None), and behind each occluder."""


@dataclass(frozen=True, eq=False)
class OccludedFaces:
    """Another source's faces in pictures that `cover_named` changed."""

    source: FaceSource
    annotations: AFLW2000Annotations
    occluder: Occluder
    seed: int = 0

    def __call__(self, row: int, name: str, sample: Sample) -> FacePrediction | None:
        """The face in the covered image."""
        points = self.annotations.original_px[row]
        image = cover_named(sample.image, self.occluder, points, name, self.seed)
        return self.source(row, name, replace(sample, image=image))


def score_occlusion(
    source: FaceSource | Mapping[Occluder | None, FaceSource],
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> OcclusionResults:
    """Score the same faces uncovered and behind each of `occluders`.

    The source sees pictures that are covered before it does; or it is what another method found,
    uncovered (None) and behind each of the occluders. `workers` are threads.

    Raises:
        UsageError: a share is not in (0, 1).
        DataError: as `score_aflw2000`.
    """
    results: OcclusionResults = {}
    for occluder in counted((None, *occluders(shares)), progress):
        if isinstance(source, Mapping):
            faces = source[occluder]
        elif occluder is None:
            faces = source
        else:
            faces = OccludedFaces(source, annotations, occluder, seed)
        results[occluder] = score_aflw2000(faces, dataset, annotations, workers=workers)
    return results


def condition_name(occluder: Occluder | None) -> str:
    """Of a folder of pictures and a file of predictions: `none`, `patch-10`, `mask`."""
    if occluder is None:
        return "none"
    return f"{occluder.kind}-{100 * occluder.share:g}" if occluder.share else occluder.kind


def write_covered(
    folder: Path,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    *,
    shares: Sequence[float] = SHARES,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[str]:
    """Write the pictures that `evaluate_occlusion` shows a network, `CONDITION/imageNNNNN.png`.

    Returns:
        `condition_name` of each condition.

    Raises:
        UsageError: a share is not in (0, 1).
        DataError: an annotated picture is missing, or one cannot be written.
    """
    require_pictures(dataset, annotations)
    conditions = (None, *occluders(shares))
    names = [condition_name(occluder) for occluder in conditions]
    for row, name in enumerate(counted(annotations.names, progress)):
        image = dataset[dataset.index_of[name]].image
        points = annotations.original_px[row]
        for occluder, condition in zip(conditions, names, strict=True):
            picture = image
            if occluder is not None:
                picture = cover_named(image, occluder, points, name, seed)
            write_picture(folder / condition / f"{Path(name).stem}.png", picture)
    return names


def given_faces(
    folder: Path, annotations: AFLW2000Annotations, shares: Sequence[float] = SHARES
) -> dict[Occluder | None, FaceSource]:
    """What another method found in those pictures: `CONDITION.npz`, see `Predictions`.

    Raises:
        UsageError: a share is not in (0, 1).
        DataError: a condition's file is missing or malformed, or lacks a picture.
    """
    sources: dict[Occluder | None, FaceSource] = {}
    for occluder in (None, *occluders(shares)):
        given = Predictions.load(folder / f"{condition_name(occluder)}.npz")
        given.require(annotations.names)
        sources[occluder] = given.source
    return sources
