"""Covered pictures for other methods, and what those found in them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.evaluation.aflw2000.predictions import Predictions
from mlanet.evaluation.aflw2000.scoring import FaceSource, require_pictures
from mlanet.evaluation.exchange import write_picture
from mlanet.evaluation.occlusion.occluders import SHARES, Occluder, cover_named, occluders


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
    progress: Callable[[int, int], None] | None = None,
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
    for row, name in enumerate(annotations.names):
        image = dataset[dataset.index_of[name]].image
        points = annotations.original_px[row]
        for occluder, condition in zip(conditions, names, strict=True):
            picture = image
            if occluder is not None:
                picture = cover_named(image, occluder, points, name, seed)
            write_picture(folder / condition / f"{Path(name).stem}.png", picture)
        if progress is not None:
            progress(row + 1, len(annotations.names))
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
