"""What an evaluation found, and how it is written."""

import csv
import io
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Float

from mlanet.datasets.aflw2000 import AnnotationKind
from mlanet.errors import DataError
from mlanet.image import atomic_path
from mlanet.metrics import (
    YAW_BINS,
    BinnedMean,
    HeadPoseMae,
    head_pose_mae,
    mean_of_yaw_bins,
    within_pose_range,
    yaw_bin_index,
)

CropSource: TypeAlias = Literal["ground-truth", "detector"]
"""Who says where the face is."""

PROTOCOL = (
    "AFLW2000-3D nme_2d_68: mean distance of 68 points (x, y; original image) over sqrt(w*h) of "
    "the true landmarks' bounding box, percent; mean = mean of the three |yaw| bins' means"
)
"""The protocol's description in the report."""

MISSED_NME = 100.0
"""Error in percent at which `mean_missed_as_100` counts a missed face."""

NUM_WORST = 10
"""How many of the worst images the report lists."""


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


@dataclass(frozen=True, slots=True, eq=False)
class AFLW2000Report:
    """Results on AFLW2000-3D under one annotation and one way to crop.

    `seconds` is the time spent in the predictor. Means leave out missed faces, except
    `mean_missed_as_100`.
    """

    annotation: AnnotationKind
    crop: CropSource
    results: tuple[ImageResult, ...]
    seconds: float
    versions: dict[str, str]

    @property
    def nme(self) -> BinnedMean:
        """`nme_2d_68` in percent over the faces that were found."""
        found = [(r.nme_2d_68, r.yaw_deg) for r in self.results if r.nme_2d_68 is not None]
        return mean_of_yaw_bins(*np.array(found, dtype=np.float64).reshape(-1, 2).T)

    @property
    def nme_missed_as_100(self) -> BinnedMean:
        """`nme_2d_68` in percent over all faces; a missed one counts as 100 %."""
        every = [
            (MISSED_NME if r.nme_2d_68 is None else r.nme_2d_68, r.yaw_deg) for r in self.results
        ]
        return mean_of_yaw_bins(*np.array(every, dtype=np.float64).reshape(-1, 2).T)

    @property
    def missed(self) -> int:
        """Number of faces that the detector did not find."""
        return sum(result.nme_2d_68 is None for result in self.results)

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

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON; a mean over no images is None."""
        nme, every, pose = self.nme, self.nme_missed_as_100, self.pose
        return {
            "protocol": PROTOCOL,
            "annotation": self.annotation,
            "crop": self.crop,
            "nme_2d_68": {
                **{name: _number(nme.bins[name]) for name in YAW_BINS},
                "mean": _number(nme.mean),
            },
            "mean_missed_as_100": _number(every.mean),
            "images": len(self.results),
            "missed": self.missed,
            "images_per_bin": every.counts,
            "missed_per_bin": {name: every.counts[name] - nme.counts[name] for name in YAW_BINS},
            "pose_mae_deg": {
                "pitch": _number(pose.pitch),
                "yaw": _number(pose.yaw),
                "roll": _number(pose.roll),
                "mean": _number(pose.mean),
                "images": pose.images,
            },
            "versions": self.versions,
            "seconds": round(self.seconds, 3),
            "worst": [
                {"name": r.name, "yaw_deg": r.yaw_deg, "nme_2d_68": r.nme_2d_68} for r in self.worst
            ],
        }

    def save(self, folder: Path) -> Path:
        """Write `report.json` and, one line for each image, `errors.csv`; both atomically.

        Returns:
            The path of the report.

        Raises:
            DataError: the folder cannot be written.
        """
        report = folder / "report.json"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(folder / "errors.csv") as temporary:
                temporary.write_text(self._csv(), encoding="utf-8", newline="\n")
            with atomic_path(report) as temporary:
                text = json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n"
                temporary.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise DataError(f"{folder}: the report cannot be written ({error})") from error
        return report

    def _csv(self) -> str:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            [
                "name",
                "yaw_deg",
                "bin",
                "missed",
                "nme_2d_68",
                "pitch_error_deg",
                "yaw_error_deg",
                "roll_error_deg",
                "in_pose_mae",
            ]
        )
        for r in self.results:
            errors: list[str] = ["", "", "", ""]
            if r.nme_2d_68 is not None and r.angles_deg is not None:
                differences = np.abs(r.angles_deg - r.true_angles_deg)
                errors = [f"{value:.4f}" for value in (r.nme_2d_68, *differences)]
            missed = r.nme_2d_68 is None
            in_pose = not missed and bool(within_pose_range(r.true_angles_deg[None])[0])
            name_of_bin = YAW_BINS[int(yaw_bin_index(np.array([r.yaw_deg]))[0])]
            writer.writerow(
                [r.name, f"{r.yaw_deg:.4f}", name_of_bin, int(missed), *errors, int(in_pose)]
            )
        return text.getvalue()


def _badness(result: ImageResult) -> float:
    return math.inf if result.nme_2d_68 is None else result.nme_2d_68


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
