"""What was found in each image, and means over them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from mlanet.evaluation.aflw2000.dense import DenseErrors
from mlanet.evaluation.reporting import number
from mlanet.metrics import (
    BinnedMean,
    CumulativeError,
    HeadPoseMae,
    cumulative_error,
    head_pose_mae,
    mean_of_yaw_bins,
)

MISSED_NME = 100.0
"""Error `nme_2d_68` in percent of a missed face."""

CURVE_LIMIT = 7.0
"""Where the cumulative error curve ends: percent of sqrt(w*h), as in `nme_2d_68`."""

NUM_SHOWN = 10
"""How many of the worst images are listed and drawn, and how many random ones are drawn."""

RANDOM_SEED = 0
"""Of the choice of random images: the same for every method."""


@dataclass(frozen=True, slots=True)
class FaceOpenings:
    """How far mouth and eyes are open; see `groups.face_openings`."""

    mouth: float
    eyes: float


@dataclass(frozen=True, slots=True, eq=False)
class ImageResult:
    """One image: errors are None if the face was missed."""

    name: str
    yaw_deg: float
    nme_2d_68: float | None
    """Percent."""
    angles_deg: Float[np.ndarray, "3"] | None
    """Predicted pitch, yaw, roll."""
    true_angles_deg: Float[np.ndarray, "3"]
    landmarks_px: Float[np.ndarray, "68 d"] | None = None
    vertices_px: Float32[np.ndarray, "v 3"] | None = None
    """That were scored, if they are to be kept."""
    box_px: Float[np.ndarray, "4"] | None = None
    """What the method saw."""
    openings: FaceOpenings | None = None
    """Of mouth and eyes, by the annotation."""
    skin_tone_deg: float | None = None
    dense: DenseErrors | None = None
    seconds: float = 0.0
    """That the method took."""
    landmark_errors: Float[np.ndarray, "68"] | None = None
    """Percent; their mean is `nme_2d_68`."""
    confidence: float | None = None
    landmark_confidence: Float[np.ndarray, "68"] | None = None
    """What the method says of them, if it does."""

    @property
    def nme_2d_68_of_all(self) -> float:
        """Percent; `MISSED_NME` if the face was missed."""
        return MISSED_NME if self.nme_2d_68 is None else self.nme_2d_68

    @property
    def pose_mae_deg(self) -> float | None:
        """Mean of the angles' absolute errors; None without angles or beyond the pose's range."""
        if self.angles_deg is None:
            return None
        return number(head_pose_mae(self.angles_deg[None], self.true_angles_deg[None]).mean)


def mean_nme(results: Sequence[ImageResult], *, with_missed: bool = True) -> BinnedMean:
    """`nme_2d_68` in percent; a missed face counts as `MISSED_NME`, or not at all."""
    kept = [r for r in results if with_missed or r.nme_2d_68 is not None]
    yaw = np.array([r.yaw_deg for r in kept], dtype=np.float64)
    return mean_of_yaw_bins(np.array([r.nme_2d_68_of_all for r in kept], dtype=np.float64), yaw)


def mean_dense(results: Sequence[ImageResult], figure: str) -> BinnedMean:
    """A field of `DenseErrors` in percent, over the faces that have them."""
    kept = [(getattr(r.dense, figure), r.yaw_deg) for r in results if r.dense is not None]
    return mean_of_yaw_bins(*np.array(kept, dtype=np.float64).reshape(-1, 2).T)


def mean_pose(results: Sequence[ImageResult]) -> HeadPoseMae:
    """Head pose over the faces that were found and lie within the protocol's range."""
    kept = [(r.angles_deg, r.true_angles_deg) for r in results if r.angles_deg is not None]
    predicted, truth = np.array(kept, dtype=np.float64).reshape(-1, 2, 3).transpose(1, 0, 2)
    return head_pose_mae(predicted, truth)


def nme_curve(results: Sequence[ImageResult]) -> CumulativeError:
    """Cumulative error of `nme_2d_68` to `CURVE_LIMIT`; missed faces lie beyond."""
    return cumulative_error(np.array([r.nme_2d_68_of_all for r in results]), CURVE_LIMIT)


def worst(results: Sequence[ImageResult]) -> list[ImageResult]:
    """Missed faces, then the largest errors; at most `NUM_SHOWN`."""

    def badness(result: ImageResult) -> float:
        return math.inf if result.nme_2d_68 is None else result.nme_2d_68

    return sorted(results, key=badness, reverse=True)[:NUM_SHOWN]


def drawn_at_random(results: Sequence[ImageResult]) -> list[ImageResult]:
    """At most `NUM_SHOWN` images chosen without looking at errors, in the data set's order."""
    chosen = np.random.default_rng(RANDOM_SEED).permutation(len(results))[:NUM_SHOWN]
    return [results[index] for index in sorted(chosen)]
