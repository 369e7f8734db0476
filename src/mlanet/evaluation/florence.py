"""MICC Florence: identity from videos against two frontal scans of each subject, in mm.

Bagdanov, Del Bimbo and Masi, "The Florence 2D/3D hybrid face dataset", 2011. The data set is
handed out on request; nothing of it ships with mlanet.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.errors import DataError, MlanetError
from mlanet.evaluation.comparison import FaceComparison
from mlanet.evaluation.florence_report import FlorenceReport, FlorenceResult
from mlanet.evaluation.florence_scans import FlorenceScan, ScanPoints, read_scan
from mlanet.metrics import nme_interocular_icp
from mlanet.reconstructor import Reconstructor

SETTINGS = ("Indoor-Cooperative", "PTZ-Indoor", "PTZ-Outdoor")
"""Names of video files begin so, in any case; the rest of a name varies between copies."""

SCANS = ("frontal1", "frontal2")
VIDEOS = (".mjpg", ".mjpeg", ".avi", ".mov", ".mp4", ".m4v", ".mpg", ".mpeg", ".mkv", ".wmv")
"""Endings of videos; other files beside them are passed over."""

EVERY = 10


@dataclass(frozen=True, slots=True)
class FlorenceSubject:
    """Where a subject's files are.

    Attributes:
        name: of its folder.
        scans: OBJ files of the frontal scans, one or two.
        videos: of each setting that there is.
    """

    name: str
    scans: tuple[Path, ...]
    videos: dict[str, tuple[Path, ...]]


def florence_subjects(folder: Path) -> list[FlorenceSubject]:
    """Subjects of a copy of MICC Florence (`subject_01/Model/frontal1/obj/*.obj`, `Video`).

    Raises:
        DataError: there is no subject's folder, or none with a scan.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    subjects: list[FlorenceSubject] = []
    for place in sorted(path for path in folder.glob("subject_*") if path.is_dir()):
        found = [sorted((place / "Model" / name / "obj").glob("*.obj")) for name in SCANS]
        files = [p for p in sorted((place / "Video").rglob("*")) if p.suffix.lower() in VIDEOS]
        videos = {
            setting: tuple(p for p in files if p.name.lower().startswith(setting.lower()))
            for setting in SETTINGS
        }
        scans = tuple(paths[0] for paths in found if paths)
        subjects.append(FlorenceSubject(place.name, scans, {k: v for k, v in videos.items() if v}))
    if not any(subject.scans for subject in subjects):
        raise DataError(f"{folder}: holds no subject_XX/Model/frontal1/obj/*.obj")
    return subjects


def evaluate_florence(
    reconstructor: Reconstructor,
    subjects: Sequence[FlorenceSubject],
    *,
    annotator: Reconstructor | None = None,
    every: int = EVERY,
    versions: Mapping[str, str] | None = None,
    method: str = "mlanet",
    progress: Callable[[int, int], None] | None = None,
) -> FlorenceReport:
    """Average the identity over a setting's frames and compare it with the subject's scans.

    The face at rest is compared. Of the two scans the nearer one counts, for each figure. What is
    missing, cannot be read or shows no face is left out and named in the report.

    Args:
        reconstructor: detector, network and face model under test.
        subjects: from `florence_subjects`.
        annotator: finds the landmarks of scans that have no landmark file. Without it, the shipped
            network, whatever is tested, so that all networks meet the same scans.
        every: of so many frames of a video one is used.
        versions: of weights and assets, copied into the report.
        method: name of what is tested, for the report.
        progress: called with (subjects done, subjects in all).
    """
    run = _Run(reconstructor, FaceComparison(reconstructor.model), every, [])
    annotator = annotator or Reconstructor.load()
    results: list[FlorenceResult] = []
    marks: list[ScanPoints] = []
    started = time.perf_counter()
    for number, subject in enumerate(subjects):
        scans = run.read_scans(subject, annotator)
        marks += [scan.marks for scan in scans]
        found = [run.evaluate(subject, setting, scans) for setting in SETTINGS if scans]
        results += [result for result in found if result is not None]
        if progress is not None:
            progress(number + 1, len(subjects))
    seconds = time.perf_counter() - started
    return FlorenceReport(
        results=tuple(results),
        skipped=tuple(run.skipped),
        every=every,
        seconds=seconds,
        versions=dict(versions or {}),
        scans=tuple(marks),
        method=method,
    )


def frames_of(video: Path, every: int = 1) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Every so many frames of a video, RGB, the first one included.

    Raises:
        DataError: the video cannot be opened.
    """
    import cv2

    capture = cv2.VideoCapture(str(video))
    try:
        if not capture.isOpened():
            raise DataError(f"{video}: OpenCV cannot open this video")
        number = 0
        while capture.grab():
            if number % every == 0:
                good, frame = capture.retrieve()
                if good:
                    yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            number += 1
    finally:
        capture.release()


@dataclass(frozen=True, slots=True)
class _Run:
    """What stays the same over subjects, and a line for each thing that was left out."""

    reconstructor: Reconstructor
    compare: FaceComparison
    every: int
    skipped: list[str]

    def read_scans(self, subject: FlorenceSubject, annotator: Reconstructor) -> list[FlorenceScan]:
        """The scans that can be used."""
        scans: list[FlorenceScan] = []
        if not subject.scans:
            self.skipped.append(f"{subject.name}: no frontal scan")
        for path in subject.scans:
            try:
                scans.append(read_scan(path, annotator))
            except MlanetError as error:
                self.skipped.append(str(error))
        return scans

    def evaluate(
        self, subject: FlorenceSubject, setting: str, scans: Sequence[FlorenceScan]
    ) -> FlorenceResult | None:
        """A setting's result, if it has a face."""
        videos = subject.videos.get(setting, ())
        if not videos:
            self.skipped.append(f"{subject.name}: no video {setting}")
            return None
        frames, identities = self.identities(videos)
        if not identities:
            self.skipped.append(f"{subject.name}, {setting}: no face in {frames} frames")
            return None
        identity = np.mean(identities, axis=0)
        figures: list[_Figures] = []
        for scan in scans:
            try:
                figures.append(_figures(self.compare, scan, identity))
            except ValueError as error:
                self.skipped.append(f"{scan.marks.file}, {setting}: {error}")
        if not figures:
            return None
        nearest = min(figures, key=lambda found: found.mean_mm)
        return FlorenceResult(
            subject=subject.name,
            setting=setting,
            frames=frames,
            faces=len(identities),
            point_to_plane_mean_mm=nearest.mean_mm,
            point_to_plane_rms_mm=min(found.rms_mm for found in figures),
            nme_interocular_icp=min(found.nme for found in figures),
            mean_face_mm=min(found.mean_face_mm for found in figures),
            coverage_to_scan=nearest.coverage_to_scan,
            coverage_from_scan=nearest.coverage_from_scan,
        )

    def identities(self, videos: Sequence[Path]) -> tuple[int, list[Float[np.ndarray, "i"]]]:
        """Number of frames that were looked at, and the identity of each face in them."""
        frames, found = 0, list[Float[np.ndarray, "i"]]()
        for video in videos:
            try:
                for frame in frames_of(video, self.every):
                    frames += 1
                    faces = self.reconstructor(frame, max_faces=1)
                    found += [face.coefficients.identity for face in faces]
            except MlanetError as error:
                self.skipped.append(str(error))
        return frames, found


@dataclass(frozen=True, slots=True)
class _Figures:
    """A face against one scan."""

    mean_mm: float
    rms_mm: float
    nme: float
    mean_face_mm: float
    coverage_to_scan: float
    coverage_from_scan: float


def _figures(
    compare: FaceComparison, scan: FlorenceScan, identity: Float[np.ndarray, "i"]
) -> _Figures:
    """Distances of a face at rest and of the mean face in mm, and PRNet's error in per cent."""
    marks = scan.marks
    found = compare.distance(scan.surface, marks.points, identity)
    nme = nme_interocular_icp(
        compare.surface(identity), scan.surface, marks.nose_tip, found.motion, marks.interocular_mm
    )
    return _Figures(
        found.point_to_plane_mean_mm,
        found.point_to_plane_rms_mm,
        nme,
        compare.distance(scan.surface, marks.points).point_to_plane_mean_mm,
        found.to_scan.coverage,
        found.from_scan.coverage,
    )
