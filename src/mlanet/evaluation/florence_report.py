"""What an evaluation on MICC Florence found, and how it is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlanet.evaluation.comparison import START_POINTS
from mlanet.evaluation.florence_scans import ScanPoints
from mlanet.evaluation.report_file import save_report

FLORENCE_PROTOCOL = (
    "MICC Florence point_to_plane_mm: scan within 95 mm of the tip of the nose, similarity ICP "
    "until the gain is below 0.001 mm, both directions averaged, minimum over a subject's frontal "
    "scans, mean and standard deviation over subjects; nme_interocular_icp: PRNet's variant, "
    "percent of the outer interocular distance; vertices weighted by area; left out: "
    "points whose closest point lies on the other surface's border or faces the other way "
    "(coverage: share of area that remains, of the scan with the least mean distance)"
)
"""The protocol's description in the report."""

FIGURES = {
    "point_to_plane_mean_mm": "mean mm",
    "point_to_plane_rms_mm": "rms mm",
    "nme_interocular_icp": "NME %",
    "mean_face_mm": "mean face mm",
    "coverage_to_scan": "coverage to scan",
    "coverage_from_scan": "from scan",
}
"""Figures of a result, and how tables head them."""


ERRORS = ("point_to_plane_mean_mm", "point_to_plane_rms_mm", "nme_interocular_icp")
"""Figures in which methods are compared subject by subject."""


@dataclass(frozen=True, slots=True)
class FlorenceResult:
    """A subject in one setting; each figure is the least over the subject's scans.

    Attributes:
        subject: its name.
        setting: of the videos.
        frames: that were looked at; None if the method does not say.
        faces: frames in which a face was found, which the result is of; None as above.
        point_to_plane_mean_mm: mean distance, both directions averaged.
        point_to_plane_rms_mm: root mean square distance, both directions averaged.
        nme_interocular_icp: PRNet's error, percent.
        mean_face_mm: what the mean face gets instead of `point_to_plane_mean_mm`.
        coverage_to_scan: share of the prediction's area within the crop that has a counterpart,
            for the scan of `point_to_plane_mean_mm`.
        coverage_from_scan: the same of the cropped scan's area.
    """

    subject: str
    setting: str
    frames: int | None
    faces: int | None
    point_to_plane_mean_mm: float
    point_to_plane_rms_mm: float
    nme_interocular_icp: float
    mean_face_mm: float
    coverage_to_scan: float
    coverage_from_scan: float


@dataclass(frozen=True, slots=True)
class FlorenceReport:
    """Results on MICC Florence.

    Attributes:
        results: one for each subject and setting.
        skipped: what was left out and why, one line each.
        every: of so many frames one was used; None if the method does not say.
        seconds: of the whole run.
        versions: of weights and assets.
        scans: landmarks that were used, one entry for each scan.
        method: its name.
    """

    results: tuple[FlorenceResult, ...]
    skipped: tuple[str, ...]
    every: int | None
    seconds: float
    versions: dict[str, str]
    scans: tuple[ScanPoints, ...] = ()
    method: str = "mlanet"

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
            "method": self.method,
            "every_nth_frame": self.every,
            "settings": {
                setting: {
                    "subjects": len(rows),
                    **{name: _mean_and_sd([getattr(r, name) for r in rows]) for name in FIGURES},
                }
                for setting, rows in self.settings().items()
            },
            "scans": [
                {
                    "file": scan.file,
                    "landmarks": scan.source,
                    "interocular_mm": round(scan.interocular_mm, 3),
                    "points_mm": dict(
                        zip(map(str, START_POINTS), scan.points.round(3).tolist(), strict=True)
                    ),
                }
                for scan in self.scans
            ],
            "skipped": list(self.skipped),
            "per_subject": self._per_subject(),
            "versions": self.versions,
            "seconds": round(self.seconds, 3),
        }

    def _per_subject(self) -> dict[str, list[Any]]:
        """Columns `SETTING FIGURE` with one entry for each subject; None where it has no face."""
        names = list(dict.fromkeys(row.subject for row in self.results))
        columns: dict[str, list[Any]] = {"name": names}
        for setting, rows in self.settings().items():
            found = {row.subject: row for row in rows}
            for error in ERRORS:
                columns[f"{setting} {error}"] = [
                    round(getattr(found[name], error), 4) if name in found else None
                    for name in names
                ]
        return columns

    def save(self, folder: Path) -> Path:
        """Write `report.json` and, one line for each subject and setting, `subjects.csv`.

        Returns:
            The path of the report.

        Raises:
            DataError: the folder cannot be written.
        """
        rows = (
            (
                row.subject,
                row.setting,
                row.frames,
                row.faces,
                *(f"{getattr(row, name):.4f}" for name in FIGURES),
            )
            for row in self.results
        )
        columns = ("subject", "setting", "frames", "faces", *FIGURES)
        return save_report(folder, self.as_dict(), "subjects.csv", columns, rows)


def shown_mean_and_sd(figure: Mapping[str, float | None]) -> str:
    """A figure of a setting for people; a single subject has no deviation."""
    mean, spread = figure["mean"], figure["sd"]
    return f"{mean:.2f}" if spread is None else f"{mean:.2f} ± {spread:.2f}"


def _mean_and_sd(values: Sequence[float]) -> dict[str, float | None]:
    spread = round(float(np.std(values, ddof=1)), 3) if len(values) > 1 else None
    return {"mean": round(float(np.mean(values)), 3), "sd": spread}
