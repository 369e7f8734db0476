"""MICC Florence: identity from videos against two frontal scans of each subject, in mm.

Bagdanov, Del Bimbo and Masi, "The Florence 2D/3D hybrid face dataset", 2011. The data set is
handed out on request; nothing of it ships with mlanet.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from mlanet.errors import MlanetError
from mlanet.evaluation.comparison import FaceComparison, FaceShape
from mlanet.evaluation.florence_report import FlorenceReport, FlorenceResult
from mlanet.evaluation.florence_scans import FlorenceScan, ScanPoints, read_scan
from mlanet.evaluation.florence_videos import (
    EVERY,
    SETTINGS,
    FlorenceSubject,
    frames_of,
    setting_name,
)
from mlanet.evaluation.meshes import MeshFolder, write_face
from mlanet.metrics import nme_interocular_icp
from mlanet.morphable import MorphableModel
from mlanet.reconstructor import Reconstructor


@dataclass(frozen=True, slots=True, eq=False)
class SettingFace:
    """What a method makes of a subject's videos of one setting.

    Attributes:
        shape: the face at rest; None if no face was found.
        frames: that were looked at; None if the method does not say.
        faces: frames in which a face was found; None if the method does not say.
        problems: what could not be read, one line each.
    """

    shape: FaceShape | None
    frames: int | None = None
    faces: int | None = None
    problems: tuple[str, ...] = ()


SettingSource: TypeAlias = Callable[[FlorenceSubject, str], SettingFace]
"""From a subject and a setting of which there are videos to the face in them."""


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

    The face at rest is compared; see `score_florence`.

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
    return score_florence(
        VideoFaces(reconstructor, every),
        reconstructor.model,
        subjects,
        annotator=annotator or Reconstructor.load(),
        every=every,
        versions=versions,
        method=method,
        progress=progress,
    )


def score_florence(
    source: SettingSource,
    model: MorphableModel,
    subjects: Sequence[FlorenceSubject],
    *,
    annotator: Reconstructor,
    every: int | None = None,
    versions: Mapping[str, str] | None = None,
    method: str = "mlanet",
    progress: Callable[[int, int], None] | None = None,
) -> FlorenceReport:
    """Compare faces with the subjects' scans, whoever says what the faces look like.

    Of two scans the nearer one counts, for each figure. What is missing, cannot be read or shows
    no face is left out and named in the report.

    Args:
        source: gives the faces.
        model: its mean face is what every method is compared with.
        subjects: from `florence_subjects`.
        annotator: finds the landmarks of scans that have no landmark file.
        every: of so many frames of a video one was used, for the report.
        versions: of weights and assets, copied into the report.
        method: name of what is tested, for the report.
        progress: called with (subjects done, subjects in all).
    """
    run = _Run(source, FaceComparison(model).face(), [])
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


@dataclass(frozen=True, eq=False)
class VideoFaces:
    """Faces as a network sees them: identity averaged over frames, at rest.

    Attributes:
        reconstructor: detector, network and face model.
        every: of so many frames of a video one is used.
    """

    reconstructor: Reconstructor
    every: int = EVERY

    def __call__(self, subject: FlorenceSubject, setting: str) -> SettingFace:
        """The mean of the largest face of each frame."""
        frames, found, problems = 0, list[Float[np.ndarray, "i"]](), list[str]()
        for video in subject.videos.get(setting, ()):
            try:
                for frame in frames_of(video, self.every):
                    frames += 1
                    faces = self.reconstructor(frame, max_faces=1)
                    found += [face.coefficients.identity for face in faces]
            except MlanetError as error:
                problems.append(str(error))
        shape = self._compare.face(np.mean(found, axis=0)) if found else None
        return SettingFace(shape, frames, len(found), tuple(problems))

    @cached_property
    def _compare(self) -> FaceComparison:
        return FaceComparison(self.reconstructor.model)


@dataclass(frozen=True, slots=True)
class GivenFaces:
    """Another method's faces; `setting_name` names their files."""

    meshes: MeshFolder

    def __call__(self, subject: FlorenceSubject, setting: str) -> SettingFace:
        """The mesh of that setting; a missed one has none."""
        name = setting_name(subject, setting)
        return SettingFace(None if name in self.meshes.missed else self.meshes.face(name))


@dataclass(frozen=True, slots=True)
class KeptFaces:
    """Faces of another source, written as `GivenFaces` reads them.

    Attributes:
        source: of the faces.
        folder: for their files.
        missed: names of settings without a face, as they come.
    """

    source: SettingSource
    folder: Path
    missed: list[str] = field(default_factory=list[str])

    def __call__(self, subject: FlorenceSubject, setting: str) -> SettingFace:
        """The source's face.

        Raises:
            DataError: it cannot be written.
        """
        found, name = self.source(subject, setting), setting_name(subject, setting)
        if found.shape is None:
            self.missed.append(name)
        else:
            write_face(self.folder, name, found.shape)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What stays the same over subjects, and a line for each thing that was left out."""

    source: SettingSource
    mean_face: FaceShape
    skipped: list[str]

    def read_scans(self, subject: FlorenceSubject, annotator: Reconstructor) -> list[FlorenceScan]:
        """The scans that can be used."""
        scans: list[FlorenceScan] = []
        self.skipped.extend(subject.problems)
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
        if not subject.videos.get(setting):
            self.skipped.append(f"{subject.name}: no video {setting}")
            return None
        face = self.source(subject, setting)
        self.skipped.extend(face.problems)
        if face.shape is None:
            where = "" if face.frames is None else f" in {face.frames} frames"
            self.skipped.append(f"{subject.name}, {setting}: no face{where}")
            return None
        figures: list[_Figures] = []
        for scan in scans:
            try:
                figures.append(_figures(face.shape, self.mean_face, scan))
            except ValueError as error:
                self.skipped.append(f"{scan.marks.file}, {setting}: {error}")
        if not figures:
            return None
        nearest = min(figures, key=lambda found: found.mean_mm)
        return FlorenceResult(
            subject=subject.name,
            setting=setting,
            frames=face.frames,
            faces=face.faces,
            point_to_plane_mean_mm=nearest.mean_mm,
            point_to_plane_rms_mm=min(found.rms_mm for found in figures),
            nme_interocular_icp=min(found.nme for found in figures),
            mean_face_mm=min(found.mean_face_mm for found in figures),
            coverage_to_scan=nearest.coverage_to_scan,
            coverage_from_scan=nearest.coverage_from_scan,
        )


@dataclass(frozen=True, slots=True)
class _Figures:
    """A face against one scan."""

    mean_mm: float
    rms_mm: float
    nme: float
    mean_face_mm: float
    coverage_to_scan: float
    coverage_from_scan: float


def _figures(face: FaceShape, mean_face: FaceShape, scan: FlorenceScan) -> _Figures:
    """Distances of a face and of the mean face in mm, and PRNet's error in per cent."""
    marks = scan.marks
    found = face.distance(scan.surface, marks.points)
    nme = nme_interocular_icp(
        face.surface, scan.surface, marks.nose_tip, found.motion, marks.interocular_mm
    )
    return _Figures(
        found.point_to_plane_mean_mm,
        found.point_to_plane_rms_mm,
        nme,
        mean_face.distance(scan.surface, marks.points).point_to_plane_mean_mm,
        found.to_scan.coverage,
        found.from_scan.coverage,
    )
