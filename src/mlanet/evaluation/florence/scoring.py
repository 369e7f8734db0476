"""MICC Florence: identity from videos against two frontal scans of each subject, in mm.

Bagdanov, Del Bimbo and Masi, "The Florence 2D/3D hybrid face dataset", 2011. The data set is
handed out on request; nothing of it ships with mlanet.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from mlanet.errors import MlanetError
from mlanet.evaluation.florence.frontal_scans import FlorenceScan, read_scan
from mlanet.evaluation.florence.layout import (
    EVERY,
    SETTINGS,
    FlorenceSubject,
    frames_of,
    setting_name,
)
from mlanet.evaluation.progress import Progress, counted
from mlanet.evaluation.surfaces.face_shape import FaceComparison, FaceShape
from mlanet.evaluation.surfaces.mesh_folder import MeshFolder, MeshWriter
from mlanet.metrics import nme_interocular_icp
from mlanet.morphable import MorphableModel
from mlanet.reconstructor import Reconstructor


@dataclass(frozen=True, slots=True, eq=False)
class SettingFace:
    """What a method makes of a subject's videos of one setting.

    `shape` is the face at rest, None if none was found; `frames` were looked at, a face was found
    in `faces` of them, None if the method does not say. A line for each thing that could not be
    read.
    """

    shape: FaceShape | None
    frames: int | None = None
    faces: int | None = None
    problems: tuple[str, ...] = ()


SettingSource: TypeAlias = Callable[[FlorenceSubject, str], SettingFace]
"""From a subject and a setting of which there are videos to the face in them."""


@dataclass(frozen=True, slots=True)
class FlorenceFigures:
    """A face against a scan, or the least over the subject's scans.

    Attributes:
        point_to_plane_mean_mm: mean distance, both directions averaged.
        point_to_plane_rms_mm: root mean square distance, both directions averaged.
        nme_interocular_icp: PRNet's error, percent.
        mean_face_mm: what the mean face gets instead of `point_to_plane_mean_mm`.
        coverage_to_scan: share of the prediction's area within the crop that has a counterpart,
            for the scan of `point_to_plane_mean_mm`.
        coverage_from_scan: the same of the cropped scan's area.
    """

    point_to_plane_mean_mm: float
    point_to_plane_rms_mm: float
    nme_interocular_icp: float
    mean_face_mm: float
    coverage_to_scan: float
    coverage_from_scan: float

    @classmethod
    def of(cls, face: FaceShape, mean_face: FaceShape, scan: FlorenceScan) -> "FlorenceFigures":
        """Figures of a face.

        Raises:
            ValueError: it has nothing in common with the scan.
        """
        apart = face.distance(scan.surface, scan.points)
        baseline = mean_face.distance(scan.surface, scan.points)
        return cls(
            apart.point_to_plane_mean_mm,
            apart.point_to_plane_rms_mm,
            nme_interocular_icp(
                face.surface, scan.surface, scan.nose_tip, apart.motion, scan.interocular_mm
            ),
            baseline.point_to_plane_mean_mm,
            apart.to_scan.coverage,
            apart.from_scan.coverage,
        )

    @classmethod
    def least(cls, several: "Sequence[FlorenceFigures]") -> "FlorenceFigures":
        """The least of each error; coverages are those of the least mean distance."""
        nearest = min(several, key=lambda one: one.point_to_plane_mean_mm)
        errors = ("point_to_plane_rms_mm", "nme_interocular_icp", "mean_face_mm")
        return replace(nearest, **{k: min(getattr(one, k) for one in several) for k in errors})


@dataclass(frozen=True, slots=True)
class FlorenceResult:
    """A subject in one setting.

    `frames` were looked at, a face was found in `faces` of them; None if the method does not say.
    The figures are the least over the subject's scans.
    """

    subject: str
    setting: str
    frames: int | None
    faces: int | None
    figures: FlorenceFigures


@dataclass(frozen=True, slots=True)
class FlorenceScores:
    """Results on MICC Florence.

    One result for each subject and setting; what was left out and why, one line each; the scans.
    """

    results: tuple[FlorenceResult, ...]
    skipped: tuple[str, ...] = ()
    scans: tuple[FlorenceScan, ...] = ()


def score_florence(
    source: SettingSource,
    model: MorphableModel,
    subjects: Sequence[FlorenceSubject],
    *,
    annotator: Reconstructor,
    keep: MeshWriter | None = None,
    progress: Progress | None = None,
) -> FlorenceScores:
    """Compare faces with the subjects' scans, whoever says what the faces look like.

    Of two scans the nearer one counts, for each figure. What is missing, cannot be read or shows no
    face is left out and named. The model's mean face is what every method is compared with. The
    annotator finds the landmarks of scans without a landmark file; it should be the shipped
    network, whatever is tested, so that all networks meet the same scans. `keep` writes the faces,
    too.

    Raises:
        DataError: a face cannot be written.
    """
    run = _Run(source, FaceComparison(model).face(), keep, [])
    results: list[FlorenceResult] = []
    every: list[FlorenceScan] = []
    for subject in counted(subjects, progress):
        scans = run.read_scans(subject, annotator)
        every += scans
        scored = [run.evaluate(subject, setting, scans) for setting in SETTINGS if scans]
        results += [result for result in scored if result is not None]
    return FlorenceScores(tuple(results), tuple(run.skipped), tuple(every))


@dataclass(frozen=True, eq=False)
class VideoFaces:
    """Faces as a network sees them: identity averaged over frames, at rest.

    Of `every` so many frames of a video one is used.
    """

    reconstructor: Reconstructor
    every: int = EVERY

    def __call__(self, subject: FlorenceSubject, setting: str) -> SettingFace:
        """The mean of the largest face of each frame."""
        frames, identities, problems = 0, list[Float[np.ndarray, "i"]](), list[str]()
        for video in subject.videos.get(setting, ()):
            try:
                for frame in frames_of(video, self.every):
                    frames += 1
                    faces = self.reconstructor(frame, max_faces=1)
                    identities += [face.coefficients.identity for face in faces]
            except MlanetError as error:
                problems.append(str(error))
        shape = self._compare.face(np.mean(identities, axis=0)) if identities else None
        return SettingFace(shape, frames, len(identities), tuple(problems))

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


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What stays the same over subjects, and a line for each thing that was left out."""

    source: SettingSource
    mean_face: FaceShape
    keep: MeshWriter | None
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
        if self.keep is not None:
            name = setting_name(subject, setting)
            self.keep.add(name, face.shape, missed=face.shape is None)
        self.skipped.extend(face.problems)
        if face.shape is None:
            where = "" if face.frames is None else f" in {face.frames} frames"
            self.skipped.append(f"{subject.name}, {setting}: no face{where}")
            return None
        figures: list[FlorenceFigures] = []
        for scan in scans:
            try:
                figures.append(FlorenceFigures.of(face.shape, self.mean_face, scan))
            except ValueError as error:
                self.skipped.append(f"{scan.file}, {setting}: {error}")
        if not figures:
            return None
        least = FlorenceFigures.least(figures)
        return FlorenceResult(subject.name, setting, face.frames, face.faces, least)
