"""The rendered-scan check: known heads photographed, reconstructed and compared in mm.

It follows the distance of MICC Florence's protocol, but it is not that benchmark: the pictures
are rendered, and most of the heads are random samples of FLAME Open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import DataError
from mlanet.evaluation.aflw2000.framing import annotated_face
from mlanet.evaluation.progress import Progress, counted
from mlanet.evaluation.scans.portraits import Portrait
from mlanet.evaluation.surfaces.face_shape import FaceComparison, FaceShape
from mlanet.evaluation.surfaces.mesh_folder import MeshFolder, MeshWriter
from mlanet.geometry import bounding_box
from mlanet.morphable import MorphableModel
from mlanet.reconstruction import Reconstruction
from mlanet.reconstructor import Reconstructor

MIN_IOU = 0.2
"""A detection is of the head if its box overlaps the landmarks' box this much."""


@dataclass(frozen=True, slots=True, eq=False)
class PortraitFace:
    """The face that a method sees in a portrait, and whether its detector missed it."""

    shape: FaceShape
    missed: bool


PortraitSource: TypeAlias = Callable[[Portrait], PortraitFace]


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
        mean_face_mm: what the mean face gets instead of `mean_mm`.
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
    mean_face_mm: float
    coverage: float
    scale: float


def score_scans(
    source: PortraitSource,
    model: MorphableModel,
    portraits: Sequence[Portrait],
    *,
    keep: MeshWriter | None = None,
    progress: Progress | None = None,
) -> tuple[PortraitResult, ...]:
    """Compare every portrait's face with its head, whoever says what the face looks like.

    The model's mean face is what every method is compared with. `keep` writes the faces, too.

    Raises:
        DataError: a face has nothing in common with its head, or cannot be written.
    """
    mean_face = FaceComparison(model).face()
    mean_face_mm: dict[str, float] = {}
    results: list[PortraitResult] = []
    for portrait in counted(portraits, progress):
        head = portrait.head
        if head.name not in mean_face_mm:
            baseline = mean_face.distance(head.surface, head.points)
            mean_face_mm[head.name] = baseline.point_to_plane_mean_mm
        face = source(portrait)
        if keep is not None:
            keep.add(portrait.name, face.shape, missed=face.missed)
        results.append(_result(portrait, face, mean_face_mm[head.name]))
    return tuple(results)


def _result(portrait: Portrait, face: PortraitFace, mean_face_mm: float) -> PortraitResult:
    head = portrait.head
    try:
        apart = face.shape.distance(head.surface, head.points)
    except ValueError as error:
        raise DataError(f"{portrait.name}: {error}") from error
    return PortraitResult(
        head=head.name,
        kind=head.kind,
        yaw_deg=portrait.yaw_deg,
        light=portrait.light,
        missed=face.missed,
        mean_mm=apart.point_to_plane_mean_mm,
        rms_mm=apart.point_to_plane_rms_mm,
        mean_face_mm=mean_face_mm,
        coverage=(apart.to_scan.coverage + apart.from_scan.coverage) / 2.0,
        scale=apart.motion.scale,
    )


@dataclass(frozen=True, eq=False)
class ReconstructedPortraits:
    """Faces as a network sees them, for `score_scans`.

    A head that the detector misses is cut by its true landmarks and counted. `refine` changes each
    reconstruction before it is measured.
    """

    reconstructor: Reconstructor
    refine: Callable[[Reconstruction], Reconstruction] | None = None

    def __call__(self, portrait: Portrait) -> PortraitFace:
        """The whole reconstruction, expression included."""
        face = self.reconstruct(portrait, portrait.draw())
        return PortraitFace(self.shape(face), face.detection is None)

    def reconstruct(self, portrait: Portrait, image: UInt8[np.ndarray, "s s 3"]) -> Reconstruction:
        """The head's face in the drawn portrait; `detection` is None if the detector missed it."""
        face = reconstruct_portrait(self.reconstructor, image, portrait)
        return face if self.refine is None else self.refine(face)

    def shape(self, face: Reconstruction) -> FaceShape:
        """What of a reconstruction is compared."""
        return self._compare.face(face.coefficients.identity, face.coefficients.expression)

    @cached_property
    def _compare(self) -> FaceComparison:
        return FaceComparison(self.reconstructor.model)


@dataclass(frozen=True, slots=True)
class GivenPortraits:
    """Another method's faces, for `score_scans`; `Portrait.name` names their files."""

    meshes: MeshFolder

    def __call__(self, portrait: Portrait) -> PortraitFace:
        """The mesh of that portrait."""
        return PortraitFace(self.meshes.face(portrait.name), portrait.name in self.meshes.missed)


def reconstruct_portrait(
    reconstructor: Reconstructor, image: UInt8[np.ndarray, "h w 3"], portrait: Portrait
) -> Reconstruction:
    """The head's face; its `detection` is None if the detector missed it."""
    box = bounding_box(portrait.landmarks_px)
    best = annotated_face(reconstructor.detect(image), box, MIN_IOU)
    if best is None:
        return reconstructor.predict_in_box(image, portrait.box_px)
    return reconstructor.reconstruct_detection(image, best)
