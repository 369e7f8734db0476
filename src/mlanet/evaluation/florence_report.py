"""What an evaluation on MICC Florence found, and how it is written."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlanet.evaluation.scan_report import save_report

FLORENCE_PROTOCOL = (
    "MICC Florence point_to_plane_mm: scan within 95 mm of the tip of the nose, similarity ICP "
    "until the gain is below 0.001 mm, both directions averaged, minimum over a subject's frontal "
    "scans, mean and standard deviation over subjects; nme_interocular_icp: PRNet's variant, "
    "percent of the outer interocular distance"
)
"""The protocol's description in the report."""

FIGURES = (
    "point_to_plane_mean_mm",
    "point_to_plane_rms_mm",
    "nme_interocular_icp",
    "mean_face_mm",
)


@dataclass(frozen=True, slots=True)
class FlorenceResult:
    """A subject in one setting; each figure is the least over the subject's scans.

    Attributes:
        subject: its name.
        setting: of the videos.
        frames: that were looked at.
        faces: frames in which a face was found; its identity is their average.
        point_to_plane_mean_mm: mean distance, both directions averaged.
        point_to_plane_rms_mm: root mean square distance, both directions averaged.
        nme_interocular_icp: PRNet's error, percent.
        mean_face_mm: what the mean face gets instead of `point_to_plane_mean_mm`.
    """

    subject: str
    setting: str
    frames: int
    faces: int
    point_to_plane_mean_mm: float
    point_to_plane_rms_mm: float
    nme_interocular_icp: float
    mean_face_mm: float


@dataclass(frozen=True, slots=True)
class FlorenceReport:
    """Results on MICC Florence.

    Attributes:
        results: one for each subject and setting.
        skipped: what was left out and why, one line each.
        every: of so many frames one was used.
        seconds: of the whole run.
        versions: of weights and assets.
    """

    results: tuple[FlorenceResult, ...]
    skipped: tuple[str, ...]
    every: int
    seconds: float
    versions: dict[str, str]

    def settings(self) -> dict[str, list[FlorenceResult]]:
        """Results of each setting."""
        found: dict[str, list[FlorenceResult]] = {}
        for result in self.results:
            found.setdefault(result.setting, []).append(result)
        return found

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON: mean and standard deviation (of the sample) over subjects."""
        return {
            "protocol": FLORENCE_PROTOCOL,
            "every_nth_frame": self.every,
            "settings": {
                setting: {
                    "subjects": len(rows),
                    **{name: _mean_and_sd([getattr(r, name) for r in rows]) for name in FIGURES},
                }
                for setting, rows in self.settings().items()
            },
            "skipped": list(self.skipped),
            "versions": self.versions,
            "seconds": round(self.seconds, 3),
        }

    def save(self, folder: Path) -> Path:
        """Write `report.json` and, one line for each subject and setting, `subjects.csv`.

        Returns:
            The path of the report.

        Raises:
            DataError: the folder cannot be written.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["subject", "setting", "frames", "faces", *FIGURES])
        for row in self.results:
            values = [f"{getattr(row, name):.4f}" for name in FIGURES]
            writer.writerow([row.subject, row.setting, row.frames, row.faces, *values])
        report = json.dumps(self.as_dict(), indent=2, allow_nan=False) + "\n"
        return save_report(folder, report, "subjects.csv", text.getvalue())


def _mean_and_sd(values: Sequence[float]) -> dict[str, float | None]:
    spread = round(float(np.std(values, ddof=1)), 3) if len(values) > 1 else None
    return {"mean": round(float(np.mean(values)), 3), "sd": spread}
