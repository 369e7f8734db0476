"""What an evaluation found, and how it is written."""

import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float32

from mlanet.datasets.aflw2000_annotations import AnnotationKind
from mlanet.evaluation.dense import DenseErrors
from mlanet.evaluation.groups import GROUPS, FaceOpenings, errors_by_group
from mlanet.evaluation.predictions import Predictions
from mlanet.evaluation.report_file import save_report
from mlanet.metrics import (
    YAW_BINS,
    BinnedMean,
    CumulativeError,
    HeadPoseMae,
    cumulative_error,
    head_pose_mae,
    mean_of_yaw_bins,
    yaw_bin_index,
)

CropSource: TypeAlias = Literal["ground-truth", "detector", "unknown"]
"""Who says where the face is; unknown of other methods' predictions."""

PROTOCOL = (
    "AFLW2000-3D nme_2d_68: mean distance of 68 points (x, y; original image) over sqrt(w*h) of "
    "the true landmarks' bounding box, percent; a missed face counts as 100 %; "
    "mean = mean of the three |yaw| bins' means"
)
"""The protocol's description in the report."""

MISSED_NME = 100.0
"""Error `nme_2d_68` in percent of a missed face."""

NUM_WORST = 10
"""How many of the worst images the report lists, and how many random ones it draws."""

RANDOM_SEED = 0
"""Of the choice of random images: the same for every method."""

CURVE_LIMIT = 7.0
"""Where the cumulative error curve ends: percent of sqrt(w*h), as in `nme_2d_68`."""

CURVE_NORMALIZER = "sqrt(w*h) of the true landmarks' bounding box"
CSV_COLUMNS = (
    "name",
    "yaw_deg",
    "bin",
    "missed",
    "nme_2d_68",
    "pitch_error_deg",
    "yaw_error_deg",
    "roll_error_deg",
    "in_pose_mae",
)
DENSE_FIGURES = ("nme_2d_dense", "nme_3d_dense", "nme_3d_reconstruction")


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

    @property
    def nme_2d_68_of_all(self) -> float:
        """Percent; `MISSED_NME` if the face was missed."""
        return MISSED_NME if self.nme_2d_68 is None else self.nme_2d_68

    @property
    def pose_mae_deg(self) -> float | None:
        """Mean of the angles' absolute errors; None without angles or beyond the pose's range."""
        if self.angles_deg is None:
            return None
        return _number(head_pose_mae(self.angles_deg[None], self.true_angles_deg[None]).mean)


@dataclass(frozen=True, eq=False)
class AFLW2000Report:
    """Results on AFLW2000-3D under one annotation and one way to crop.

    In `nme_2d_68`, its groups and curve a missed face counts as `MISSED_NME`; `nme_found`, head
    pose and dense errors leave it out.

    Attributes:
        annotation: which landmarks are the truth.
        crop: where the method's crop came from.
        results: one for each image.
        versions: of weights and assets.
        method: its name.
        wall_seconds: from the first picture's bytes to the last one's errors.
        fitted_tones: skin tones are those of an albedo fitted to the pixels, not the predicted one.
    """

    annotation: AnnotationKind
    crop: CropSource
    results: tuple[ImageResult, ...]
    versions: dict[str, str]
    method: str = "mlanet"
    wall_seconds: float = 0.0
    fitted_tones: bool = False

    @property
    def nme(self) -> BinnedMean:
        """`nme_2d_68` in percent over all faces; a missed one counts as 100 %."""
        every = [(r.nme_2d_68_of_all, r.yaw_deg) for r in self.results]
        return mean_of_yaw_bins(*np.array(every, dtype=np.float64).reshape(-1, 2).T)

    @property
    def nme_found(self) -> BinnedMean:
        """`nme_2d_68` in percent over the faces that were found."""
        found = [(r.nme_2d_68, r.yaw_deg) for r in self.results if r.nme_2d_68 is not None]
        return mean_of_yaw_bins(*np.array(found, dtype=np.float64).reshape(-1, 2).T)

    @property
    def missed(self) -> int:
        """Number of faces that the detector did not find."""
        return sum(result.nme_2d_68 is None for result in self.results)

    @property
    def seconds(self) -> float:
        """Time spent in the method, over all threads."""
        return sum(result.seconds for result in self.results)

    @property
    def images_per_second(self) -> float | None:
        """Images read, reconstructed and scored per second."""
        return len(self.results) / self.wall_seconds if self.wall_seconds > 0 else None

    @property
    def pose(self) -> HeadPoseMae:
        """Head pose over the faces that were found and lie within the protocol's range."""
        found = [
            (r.angles_deg, r.true_angles_deg) for r in self.results if r.angles_deg is not None
        ]
        predicted, truth = np.array(found, dtype=np.float64).reshape(-1, 2, 3).transpose(1, 0, 2)
        return head_pose_mae(predicted, truth)

    @property
    def worst(self) -> list[ImageResult]:
        """Missed faces, then the largest errors; at most `NUM_WORST`."""
        return sorted(self.results, key=_badness, reverse=True)[:NUM_WORST]

    @property
    def random(self) -> list[ImageResult]:
        """At most `NUM_WORST` images drawn without looking at errors, in the data set's order."""
        rng = np.random.default_rng(RANDOM_SEED)
        chosen = rng.permutation(len(self.results))[:NUM_WORST]
        return [self.results[index] for index in sorted(chosen)]

    @cached_property
    def curve(self) -> CumulativeError:
        """Cumulative error of `nme_2d_68` to `CURVE_LIMIT`; missed faces lie beyond."""
        errors = [math.inf if r.nme_2d_68 is None else r.nme_2d_68 for r in self.results]
        return cumulative_error(np.array(errors), CURVE_LIMIT)

    @cached_property
    def dense(self) -> dict[str, BinnedMean] | None:
        """Dense errors in percent by yaw bin, over faces that were found; None if not measured."""
        found = [(r.dense, r.yaw_deg) for r in self.results if r.dense is not None]
        if not found:
            return None
        yaw = np.array([angle for _, angle in found])
        return {
            name: mean_of_yaw_bins(np.array([getattr(e, name) for e, _ in found]), yaw)
            for name in DENSE_FIGURES
        }

    @property
    def dense_images(self) -> int:
        """Number of faces that the dense errors are means of."""
        return sum(result.dense is not None for result in self.results)

    @cached_property
    def groups(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Errors by pose, expression and skin tone; see `errors_by_group`."""
        return errors_by_group(self.results)

    @property
    def predictions(self) -> Predictions:
        """What was scored, as others may score it again; vertices if they were kept."""
        missed = np.array([r.landmarks_px is None for r in self.results])
        columns = {len(r.landmarks_px[0]) for r in self.results if r.landmarks_px is not None}
        empty = np.zeros((68, min(columns, default=2)))
        points = [empty if r.landmarks_px is None else r.landmarks_px for r in self.results]
        angles = None
        if all(r.angles_deg is not None for r in self.results if r.landmarks_px is not None):
            rows = [np.zeros(3) if r.angles_deg is None else r.angles_deg for r in self.results]
            angles = np.stack(rows)
        names = tuple(r.name for r in self.results)
        boxes = None
        if all(r.box_px is not None for r in self.results if r.landmarks_px is not None):
            boxes = np.stack([np.zeros(4) if r.box_px is None else r.box_px for r in self.results])
        return Predictions(names, np.stack(points), angles, self._vertices(), missed, boxes)

    def _vertices(self) -> Float32[np.ndarray, "n v 3"] | None:
        """Of all faces that were found, zero where one was missed; None unless all were kept."""
        kept = {k: r.vertices_px for k, r in enumerate(self.results) if r.vertices_px is not None}
        if not kept or len(kept) < len(self.results) - self.missed:
            return None
        vertices = np.zeros((len(self.results), *next(iter(kept.values())).shape), np.float32)
        for row, points in kept.items():
            vertices[row] = points
        return vertices

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON; a mean over no images is None."""
        nme, found, pose = self.nme, self.nme_found, self.pose
        rate, curve, dense = self.images_per_second, self.curve, self.dense
        return {
            "protocol": PROTOCOL,
            "method": self.method,
            "annotation": self.annotation,
            "crop": self.crop,
            "nme_2d_68": _binned(nme),
            "nme_2d_68_found": _binned(found),
            "images": len(self.results),
            "missed": self.missed,
            "images_per_bin": nme.counts,
            "missed_per_bin": {name: nme.counts[name] - found.counts[name] for name in YAW_BINS},
            "pose_mae_deg": {
                "pitch": _number(pose.pitch),
                "yaw": _number(pose.yaw),
                "roll": _number(pose.roll),
                "mean": _number(pose.mean),
                "images": pose.images,
            },
            "dense": None
            if dense is None
            else {name: _binned(value) for name, value in dense.items()},
            "dense_images": None if dense is None else self.dense_images,
            "cumulative_error": {
                "error": "nme_2d_68",
                "normalizer": CURVE_NORMALIZER,
                "limit": curve.limit,
                "auc": round(curve.auc, 6),
                "failure_rate": round(curve.failure, 6),
            },
            "groups": {
                kind: {
                    "measure": GROUPS[kind][0].format(
                        "fitted" if self.fitted_tones else "predicted"
                    ),
                    "groups": groups,
                    "unmeasured": len(self.results) - sum(g["images"] for g in groups.values()),
                }
                for kind, groups in self.groups.items()
            },
            "versions": self.versions,
            "seconds": round(self.seconds, 3),
            "images_per_second": None if rate is None else round(rate, 2),
            "worst": [
                {"name": r.name, "yaw_deg": r.yaw_deg, "nme_2d_68": r.nme_2d_68} for r in self.worst
            ],
            "per_image": self._per_image(),
        }

    def _per_image(self) -> dict[str, list[Any]]:
        """Columns with one entry for each image; None where a face was missed or not measured."""
        found: dict[str, list[Any]] = {
            "name": [r.name for r in self.results],
            "yaw_deg": [round(r.yaw_deg, 4) for r in self.results],
            "nme_2d_68": [_rounded(r.nme_2d_68) for r in self.results],
            "pose_mae_deg": [_rounded(r.pose_mae_deg) for r in self.results],
            "skin_tone_deg": [_rounded(r.skin_tone_deg) for r in self.results],
        }
        if self.dense is not None:
            rows = [{} if r.dense is None else asdict(r.dense) for r in self.results]
            found |= {name: [_rounded(row.get(name)) for row in rows] for name in DENSE_FIGURES}
        return found

    def save(self, folder: Path) -> Path:
        """Write `report.json` and, one line for each image, `errors.csv`; both atomically.

        Returns:
            The path of the report.

        Raises:
            DataError: the folder cannot be written.
        """
        return save_report(
            folder, self.as_dict(), "errors.csv", CSV_COLUMNS, map(_csv_row, self.results)
        )


def _csv_row(r: ImageResult) -> list[object]:
    errors: list[str] = ["", "", "", ""]
    missed = r.nme_2d_68 is None
    if r.nme_2d_68 is not None:
        errors[0] = f"{r.nme_2d_68:.4f}"
    if r.angles_deg is not None:
        errors[1:] = [f"{value:.4f}" for value in np.abs(r.angles_deg - r.true_angles_deg)]
    in_pose = r.pose_mae_deg is not None
    name_of_bin = YAW_BINS[int(yaw_bin_index(np.array([r.yaw_deg]))[0])]
    return [r.name, f"{r.yaw_deg:.4f}", name_of_bin, int(missed), *errors, int(in_pose)]


def _badness(result: ImageResult) -> float:
    return math.inf if result.nme_2d_68 is None else result.nme_2d_68


def _binned(value: BinnedMean) -> dict[str, float | None]:
    means = {name: _number(value.bins[name]) for name in YAW_BINS}
    return {**means, "mean": _number(value.mean)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
