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
from mlanet.evaluation.comparison import NOSE_TIP, OUTER_EYES, START_POINTS, FaceComparison
from mlanet.evaluation.florence_report import FlorenceReport, FlorenceResult
from mlanet.evaluation.scan_landmarks import find_start_points
from mlanet.image import read_image
from mlanet.metrics import Surface, nme_interocular_icp
from mlanet.morphable.readers.wavefront import read_obj
from mlanet.reconstructor import Reconstructor

SETTINGS = ("Indoor-Cooperative", "PTZ-Indoor", "PTZ-Outdoor")
"""Names of video files begin so, in any case; the rest of a name varies between copies."""

SCANS = ("frontal1", "frontal2")
TEXTURES = (".jpg", ".jpeg", ".png", ".bmp")
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


@dataclass(frozen=True, eq=False)
class FlorenceScan:
    """A frontal scan (mm) and its `START_POINTS`."""

    surface: Surface
    points: Float[np.ndarray, "9 3"]

    @property
    def interocular_mm(self) -> float:
        """Distance of the outer corners of the eyes."""
        right, left = (self.points[START_POINTS.index(k)] for k in OUTER_EYES)
        return float(np.linalg.norm(left - right))


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
        files = [path for path in sorted((place / "Video").rglob("*")) if path.is_file()]
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
    every: int = EVERY,
    versions: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FlorenceReport:
    """Average the identity over a setting's frames and compare it with the subject's scans.

    The face at rest is compared. Of the two scans the nearer one counts, for each figure. What
    cannot be read or shows no face is left out and named in the report.

    Args:
        reconstructor: detector, network and face model.
        subjects: from `florence_subjects`.
        every: of so many frames of a video one is used.
        versions: of weights and assets, copied into the report.
        progress: called with (subjects done, subjects in all).
    """
    compare = FaceComparison(reconstructor.model)
    results: list[FlorenceResult] = []
    skipped: list[str] = []
    started = time.perf_counter()
    for number, subject in enumerate(subjects):
        scans: list[FlorenceScan] = []
        for path in subject.scans:
            try:
                scans.append(read_scan(path, reconstructor))
            except MlanetError as error:
                skipped.append(str(error))
        for setting, videos in subject.videos.items() if scans else ():
            found = _evaluate_setting(
                reconstructor, compare, subject, setting, videos, scans, every
            )
            if isinstance(found, str):
                skipped.append(found)
            else:
                results.append(found)
        if progress is not None:
            progress(number + 1, len(subjects))
    seconds = time.perf_counter() - started
    return FlorenceReport(tuple(results), tuple(skipped), every, seconds, dict(versions or {}))


def read_scan(path: Path, reconstructor: Reconstructor) -> FlorenceScan:
    """A frontal scan with start points found by detector and network.

    The texture is the one picture beside the OBJ file; without it the scan is drawn as clay.

    Raises:
        DataError: no face is found in it.
        AssetError: the OBJ file is malformed.
        ImageError: the texture is.
    """
    mesh = read_obj(path)
    pictures = [p for p in sorted(path.parent.iterdir()) if p.suffix.lower() in TEXTURES]
    texture = read_image(pictures[0]) if len(pictures) == 1 else None
    points = find_start_points(mesh, reconstructor, texture, str(path))
    return FlorenceScan(Surface(mesh.vertices, mesh.faces), points)


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


def _evaluate_setting(
    reconstructor: Reconstructor,
    compare: FaceComparison,
    subject: FlorenceSubject,
    setting: str,
    videos: Sequence[Path],
    scans: Sequence[FlorenceScan],
    every: int,
) -> FlorenceResult | str:
    """The result, or why there is none."""
    identities: list[np.ndarray] = []
    frames = 0
    try:
        for video in videos:
            for frame in frames_of(video, every):
                frames += 1
                faces = reconstructor(frame, max_faces=1)
                identities += [face.coefficients.identity for face in faces]
    except MlanetError as error:
        return str(error)
    if not identities:
        return f"{subject.name}, {setting}: no face in {frames} frames"
    identity = np.mean(identities, axis=0)
    try:
        figures = [_figures(compare, scan, identity) for scan in scans]
        mean_face = [_figures(compare, scan, np.zeros_like(identity))[0] for scan in scans]
    except ValueError as error:
        return f"{subject.name}, {setting}: {error}"
    mean, rms, nme = np.min(figures, axis=0).tolist()
    return FlorenceResult(
        subject.name, setting, frames, len(identities), mean, rms, nme, min(mean_face)
    )


def _figures(
    compare: FaceComparison, scan: FlorenceScan, identity: Float[np.ndarray, "i"]
) -> tuple[float, float, float]:
    """Mean and root mean square point-to-plane distance in mm, and PRNet's error in per cent."""
    found = compare.distance(scan.surface, scan.points, identity)
    nme = nme_interocular_icp(
        compare.surface(identity),
        scan.surface,
        scan.points[START_POINTS.index(NOSE_TIP)],
        found.motion,
        scan.interocular_mm,
    )
    return found.point_to_plane_mean_mm, found.point_to_plane_rms_mm, nme
