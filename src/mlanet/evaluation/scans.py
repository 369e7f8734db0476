"""The rendered-scan check: known heads photographed, reconstructed and compared in mm.

It follows the distance of MICC Florence's protocol, but it is not that benchmark: the pictures
are rendered, and most of the heads are random samples of FLAME Open.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.detection import Detection
from mlanet.errors import DataError
from mlanet.evaluation.comparison import FaceComparison, FaceShape
from mlanet.evaluation.known_heads import KnownHead
from mlanet.evaluation.meshes import MeshFolder, write_face
from mlanet.evaluation.portraits import (
    LIGHTS,
    YAWS_DEG,
    draw_portrait,
    portrait_box,
    portrait_landmarks,
    portrait_name,
)
from mlanet.evaluation.scan_report import HeadBaseline, PortraitResult, ScanReport
from mlanet.geometry import bounding_box, box_iou
from mlanet.morphable import MorphableModel
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor

MIN_IOU = 0.2
"""A detection is of the head if its box overlaps the landmarks' box this much."""


PortraitSource: TypeAlias = Callable[[KnownHead, float, str], tuple[FaceShape, bool]]
"""From a head, an angle about the vertical and a light to the face that a method sees in that
portrait, and whether its detector missed it."""


def evaluate_scans(
    reconstructor: Reconstructor,
    heads: Sequence[KnownHead],
    *,
    yaws_deg: Sequence[float] = YAWS_DEG,
    lights: Sequence[str] = tuple(LIGHTS),
    refine: Callable[[Reconstruction], Reconstruction] | None = None,
    versions: Mapping[str, str] | None = None,
    method: str = "mlanet",
    progress: Callable[[int, int], None] | None = None,
) -> ScanReport:
    """Reconstruct every head from every angle under every light; see `score_scans`.

    Args:
        reconstructor: detector, network and face model.
        heads: what is photographed; `known_heads` makes them.
        yaws_deg: angles about the vertical.
        lights: names in `LIGHTS`.
        refine: changes each reconstruction before it is measured.
        versions: of weights and assets, copied into the report.
        method: name of what is tested, for the report.
        progress: called with (pictures done, pictures in all).
    """
    return score_scans(
        ReconstructedPortraits(reconstructor, refine),
        reconstructor.model,
        heads,
        yaws_deg=yaws_deg,
        lights=lights,
        refined=refine is not None,
        versions=versions,
        method=method,
        progress=progress,
    )


def score_scans(
    source: PortraitSource,
    model: MorphableModel,
    heads: Sequence[KnownHead],
    *,
    yaws_deg: Sequence[float] = YAWS_DEG,
    lights: Sequence[str] = tuple(LIGHTS),
    refined: bool = False,
    versions: Mapping[str, str] | None = None,
    method: str = "mlanet",
    progress: Callable[[int, int], None] | None = None,
) -> ScanReport:
    """Compare every portrait's face with its head, whoever says what the face looks like.

    Args:
        source: gives the faces.
        model: its mean face is what every method is compared with.
        heads: what is photographed.
        yaws_deg: angles about the vertical.
        lights: names in `LIGHTS`.
        refined: whether faces were fitted to the pixels, for the report.
        versions: of weights and assets, copied into the report.
        method: its name, for the report.
        progress: called with (pictures done, pictures in all).

    Raises:
        DataError: a face has nothing in common with its head.
    """
    mean_face = FaceComparison(model).face()
    results: list[PortraitResult] = []
    baselines: list[HeadBaseline] = []
    total = len(heads) * len(yaws_deg) * len(lights)
    started = time.perf_counter()
    for head in heads:
        mean = mean_face.distance(head.surface, head.points)
        baselines.append(HeadBaseline(head.name, head.kind, mean.point_to_plane_mean_mm))
        for yaw, light in product(yaws_deg, lights):
            face, missed = source(head, yaw, light)
            try:
                found = face.distance(head.surface, head.points)
            except ValueError as error:
                raise DataError(f"{portrait_name(head, yaw, light)}: {error}") from error
            results.append(PortraitResult.of(head, yaw, light, missed, found))
            if progress is not None:
                progress(len(results), total)
    return ScanReport(
        results=tuple(results),
        baselines=tuple(baselines),
        refined=refined,
        seconds=time.perf_counter() - started,
        versions=dict(versions or {}),
        method=method,
    )


@dataclass(frozen=True, eq=False)
class ReconstructedPortraits:
    """Faces as a network sees them, for `score_scans`.

    A head that the detector misses is cut by its true landmarks and counted.

    Attributes:
        reconstructor: detector, network and face model.
        refine: changes each reconstruction before it is measured.
    """

    reconstructor: Reconstructor
    refine: Callable[[Reconstruction], Reconstruction] | None = None

    def __call__(self, head: KnownHead, yaw_deg: float, light: str) -> tuple[FaceShape, bool]:
        """The whole reconstruction, expression included."""
        image = draw_portrait(head, yaw_deg, light)
        face = reconstruct_portrait(self.reconstructor, image, head, yaw_deg)
        missed = face.detection is None
        face = face if self.refine is None else self.refine(face)
        coefficients = face.coefficients
        return self._compare.face(coefficients.identity, coefficients.expression), missed

    @cached_property
    def _compare(self) -> FaceComparison:
        return FaceComparison(self.reconstructor.model)


@dataclass(frozen=True, slots=True)
class GivenPortraits:
    """Another method's faces, for `score_scans`; `portrait_name` names their files."""

    meshes: MeshFolder

    def __call__(self, head: KnownHead, yaw_deg: float, light: str) -> tuple[FaceShape, bool]:
        """The mesh of that portrait."""
        name = portrait_name(head, yaw_deg, light)
        return self.meshes.face(name), name in self.meshes.missed


@dataclass(frozen=True, slots=True)
class KeptPortraits:
    """Faces of another source, written as `GivenPortraits` reads them.

    Attributes:
        source: of the faces.
        folder: for their files.
        missed: names of portraits whose face its detector missed, as they come.
    """

    source: PortraitSource
    folder: Path
    missed: list[str] = field(default_factory=list[str])

    def __call__(self, head: KnownHead, yaw_deg: float, light: str) -> tuple[FaceShape, bool]:
        """The source's face.

        Raises:
            DataError: it cannot be written.
        """
        face, missed = self.source(head, yaw_deg, light)
        name = portrait_name(head, yaw_deg, light)
        write_face(self.folder, name, face)
        self.missed.extend([name] if missed else [])
        return face, missed


def reconstruct_portrait(
    reconstructor: Reconstructor,
    image: UInt8[np.ndarray, "h w 3"],
    head: KnownHead,
    yaw_deg: float,
) -> Reconstruction:
    """The head's face; its `detection` is None if the detector missed it."""
    truth = portrait_landmarks(head, yaw_deg)
    best = _best(reconstructor.detect(image), truth)
    if best is None:
        return reconstructor.predict_in_box(image, portrait_box(head, yaw_deg))
    return reconstructor.reconstruct_detection(image, best)


def _best(detections: Sequence[Detection], truth: Float[np.ndarray, "68 2"]) -> Detection | None:
    if not detections:
        return None
    boxes = np.stack([detection.box_px for detection in detections]).astype(np.float64)
    overlap = box_iou(boxes, bounding_box(truth)[None])[:, 0]
    best = int(overlap.argmax())
    return detections[best] if overlap[best] >= MIN_IOU else None
