"""What the rendered-scan check found, and how it is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mlanet.evaluation.known_heads import SCAN_KIND, KnownHead
from mlanet.evaluation.report_file import save_report
from mlanet.metrics import SurfaceDistance

SCAN_PROTOCOL = (
    "rendered-scan check (not MICC Florence): point_to_plane_mean_mm within 95 mm of the tip of "
    "the nose after similarity ICP, both directions averaged; mean over portraits; the mean "
    "face is aligned to each head by the same ICP"
)
"""The protocol's description in the report."""

NEAR_DEG = 30.0
"""Portraits up to this |yaw| are `near`, the others `far`."""


@dataclass(frozen=True, slots=True)
class PortraitResult:
    """One portrait of one head.

    Attributes:
        head: its name.
        kind: of the head, see `KnownHead`.
        yaw_deg: angle about the vertical.
        light: its name.
        missed: the detector did not find the face, which was cut by its true landmarks.
        mean_mm: point-to-plane distance, both directions averaged.
        rms_mm: the same as a root mean square.
        coverage: share of both surfaces' area that has a counterpart.
        scale: by which the reconstruction had to grow.
    """

    head: str
    kind: str
    yaw_deg: float
    light: str
    missed: bool
    mean_mm: float
    rms_mm: float
    coverage: float
    scale: float

    @classmethod
    def of(
        cls, head: KnownHead, yaw_deg: float, light: str, missed: bool, found: SurfaceDistance
    ) -> "PortraitResult":
        """The result of a comparison."""
        return cls(
            head.name,
            head.kind,
            yaw_deg,
            light,
            missed,
            found.point_to_plane_mean_mm,
            found.point_to_plane_rms_mm,
            (found.to_scan.coverage + found.from_scan.coverage) / 2.0,
            found.motion.scale,
        )

    @property
    def near(self) -> bool:
        """Whether the face looks towards the camera."""
        return abs(self.yaw_deg) <= NEAR_DEG


@dataclass(frozen=True, slots=True)
class HeadBaseline:
    """How far the mean face is from a head."""

    head: str
    kind: str
    mean_mm: float


@dataclass(frozen=True, slots=True)
class Group:
    """Means over portraits; None where there are none.

    Attributes:
        portraits: how many.
        missed: by the detector.
        mean_mm: of the reconstructions.
        rms_mm: the mean of their root mean squares.
        mean_face_mm: the mean face's for the same heads.
        gain_percent: by which `mean_mm` is below `mean_face_mm`.
        coverage: mean share of both surfaces' area that has a counterpart.
    """

    portraits: int
    missed: int
    mean_mm: float | None
    rms_mm: float | None
    mean_face_mm: float | None
    gain_percent: float | None
    coverage: float | None

    def as_dict(self) -> dict[str, int | float | None]:
        """Plain values, rounded to micrometres."""
        return {
            "portraits": self.portraits,
            "missed": self.missed,
            "point_to_plane_mean_mm": _rounded(self.mean_mm),
            "point_to_plane_rms_mm": _rounded(self.rms_mm),
            "mean_face_mm": _rounded(self.mean_face_mm),
            "gain_percent": _rounded(self.gain_percent),
            "coverage": _rounded(self.coverage),
        }


@dataclass(frozen=True, slots=True, eq=False)
class ScanReport:
    """Results of the rendered-scan check.

    Attributes:
        results: one for each portrait.
        baselines: one for each head.
        refined: whether reconstructions were fitted to the pixels.
        seconds: of the whole run.
        versions: of weights and assets.
        method: its name.
    """

    results: tuple[PortraitResult, ...]
    baselines: tuple[HeadBaseline, ...]
    refined: bool
    seconds: float
    versions: dict[str, str]
    method: str = "mlanet"

    def group(self, chosen: Iterable[PortraitResult] | None = None) -> Group:
        """Means over some portraits, or all."""
        rows = list(self.results if chosen is None else chosen)
        missed = sum(row.missed for row in rows)
        if not rows:
            return Group(0, 0, None, None, None, None, None)
        baseline = {entry.head: entry.mean_mm for entry in self.baselines}
        mean, rms, face, coverage = (
            float(np.mean(values))
            for values in (
                [row.mean_mm for row in rows],
                [row.rms_mm for row in rows],
                [baseline[row.head] for row in rows],
                [row.coverage for row in rows],
            )
        )
        gain = 100.0 * (1.0 - mean / face)
        return Group(len(rows), missed, mean, rms, face, gain, coverage)

    def groups(self) -> dict[str, Group]:
        """Means by kind of head, scans first and each of them; over all; by angle and by light."""
        rows, found = self.results, dict[str, Group]()
        kinds = dict.fromkeys(row.kind for row in rows)
        for kind in sorted(kinds, key=lambda kind: kind != SCAN_KIND):
            found |= self._by_angle(f"kind {kind}", [row for row in rows if row.kind == kind])
            for name in [entry.head for entry in self.baselines if entry.kind == kind == SCAN_KIND]:
                found |= self._by_angle(f"head {name}", [row for row in rows if row.head == name])
        found |= self._by_angle("", rows)
        for yaw in sorted({row.yaw_deg for row in rows}):
            found[f"yaw {yaw:g}"] = self.group(row for row in rows if row.yaw_deg == yaw)
        for light in dict.fromkeys(row.light for row in rows):
            found[f"light {light}"] = self.group(row for row in rows if row.light == light)
        return found

    def _by_angle(self, name: str, rows: Sequence[PortraitResult]) -> dict[str, Group]:
        parts = {
            f"|yaw| <= {NEAR_DEG:g}": [row for row in rows if row.near],
            f"|yaw| > {NEAR_DEG:g}": [row for row in rows if not row.near],
        }
        found = {name or "all": self.group(rows)}
        for angle, part in parts.items():
            if part or not name:
                found[f"{name}, {angle}" if name else angle] = self.group(part)
        return found

    def as_dict(self) -> dict[str, Any]:
        """The report for JSON."""
        return {
            "protocol": SCAN_PROTOCOL,
            "method": self.method,
            "refined": self.refined,
            "groups": {name: group.as_dict() for name, group in self.groups().items()},
            "mean_face_mm": {entry.head: _rounded(entry.mean_mm) for entry in self.baselines},
            "coverage": _rounded(float(np.mean([row.coverage for row in self.results]))),
            "per_head": self._per_head(),
            "versions": self.versions,
            "seconds": round(self.seconds, 3),
        }

    def _per_head(self) -> dict[str, list[Any]]:
        """Columns with one entry for each head: means over its portraits."""
        groups = [
            self.group(row for row in self.results if row.head == entry.head)
            for entry in self.baselines
        ]
        return {
            "name": [entry.head for entry in self.baselines],
            "point_to_plane_mean_mm": [_rounded(group.mean_mm) for group in groups],
            "point_to_plane_rms_mm": [_rounded(group.rms_mm) for group in groups],
        }

    def save(self, folder: Path) -> Path:
        """Write `report.json` and, one line for each portrait, `portraits.csv`; both atomically.

        Returns:
            The path of the report.

        Raises:
            DataError: the folder cannot be written.
        """
        numbers = ("mean_mm", "rms_mm", "coverage", "scale")
        rows = (
            (
                row.head,
                row.kind,
                f"{row.yaw_deg:g}",
                row.light,
                int(row.missed),
                *(f"{getattr(row, name):.4f}" for name in numbers),
            )
            for row in self.results
        )
        columns = ("head", "kind", "yaw_deg", "light", "missed", *numbers)
        return save_report(folder, self.as_dict(), "portraits.csv", columns, rows)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
