"""Error as something covers more and more of the face: AFLW2000-3D with drawn occluders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from mlanet.datasets import AFLW2000, AFLW2000Annotations, Sample
from mlanet.evaluation.aflw2000.predictions import FacePrediction
from mlanet.evaluation.aflw2000.results import ImageResult
from mlanet.evaluation.aflw2000.scoring import FaceSource, score_aflw2000
from mlanet.evaluation.occlusion.occluders import SHARES, Occluder, cover_named, occluders

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
    progress: Callable[[int, int], None] | None = None,
) -> OcclusionResults:
    """Score the same faces uncovered and behind each of `occluders`.

    The source sees pictures that are covered before it does; or it is what another method found,
    uncovered (None) and behind each of the occluders. `workers` are threads.

    Raises:
        UsageError: a share is not in (0, 1).
        DataError: as `score_aflw2000`.
    """
    kinds = (None, *occluders(shares))
    results: OcclusionResults = {}
    for occluder in kinds:
        if isinstance(source, Mapping):
            faces = source[occluder]
        elif occluder is None:
            faces = source
        else:
            faces = OccludedFaces(source, annotations, occluder, seed)
        results[occluder] = score_aflw2000(faces, dataset, annotations, workers=workers)
        if progress is not None:
            progress(len(results), len(kinds))
    return results
