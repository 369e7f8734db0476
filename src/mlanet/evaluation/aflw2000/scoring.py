"""Sparse alignment and head pose on AFLW2000-3D."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
from jaxtyping import Float

from mlanet.datasets import AFLW2000, AFLW2000Annotations, Sample
from mlanet.datasets.aflw2000_annotations import AnnotationKind
from mlanet.errors import DataError
from mlanet.evaluation.aflw2000.dense import DenseProtocol
from mlanet.evaluation.aflw2000.framing import CropSource, LandmarkPredictor, framed_face
from mlanet.evaluation.aflw2000.groups import face_openings
from mlanet.evaluation.aflw2000.predictions import FacePrediction
from mlanet.evaluation.aflw2000.results import ImageResult
from mlanet.evaluation.exchange import read_names
from mlanet.evaluation.progress import Progress, counted
from mlanet.metrics import landmark_errors_2d
from mlanet.reconstruction import Reconstruction

AnyPredictor = TypeVar("AnyPredictor", bound=LandmarkPredictor)

FaceSource: TypeAlias = Callable[[int, str, Sample], FacePrediction | None]
"""From an image's row, name and content to the face in it; None if it was missed."""


@dataclass(frozen=True, eq=False)
class NetworkSource(Generic[AnyPredictor]):
    """Faces as a predictor sees them, in the crop of the protocol or of its own detector.

    With the ground-truth crop, faces are cut by `square_roi_box`. With the detector's, the
    detection whose box overlaps the bounding box of the true landmarks best is used; if that
    overlap (intersection over union) is below `framing.MIN_IOU`, the face counts as missed.
    `refine` changes what the predictor returned. Of that, `skin_tone` says the individual typology
    angle in degrees, `vertices` the Basel model's vertices in pixels.
    """

    predictor: AnyPredictor
    annotations: AFLW2000Annotations
    annotation: AnnotationKind = "original"
    crop: CropSource = "ground-truth"
    refine: Callable[[Any], Any] | None = None
    skin_tone: Callable[[Any], float | None] | None = None
    vertices: Callable[[Any], Float[np.ndarray, "v 3"]] | None = None

    def __call__(self, row: int, name: str, sample: Sample) -> FacePrediction | None:
        """The face in an image, and the time that detector and network took."""
        started = time.perf_counter()
        truth = self.annotations.landmarks_2d_px(self.annotation)[row]
        roi = self.annotations.roi_box_px[row]
        framed = framed_face(self.predictor, sample.image, roi, truth, self.crop)
        if framed is None:
            return None
        box, turns = framed
        predicted = self.predictor.predict_in_box(sample.image, box, turns)
        if self.refine is not None:
            predicted = self.refine(predicted)
        landmarks = np.asarray(predicted.landmarks_px, dtype=np.float64)
        seconds = time.perf_counter() - started
        rated = predicted if isinstance(predicted, Reconstruction) else None
        return FacePrediction(
            landmarks_px=landmarks,
            angles_deg=np.asarray(predicted.euler_deg, dtype=np.float64),
            vertices_px=None if self.vertices is None else self.vertices(predicted),
            box_px=np.asarray(box, dtype=np.float64),
            skin_tone_deg=None if self.skin_tone is None else self.skin_tone(predicted),
            seconds=seconds,
            confidence=None if rated is None else rated.confidence,
            landmark_confidence=None if rated is None else rated.landmark_confidence,
        )


def only_named(annotations: AFLW2000Annotations, path: Path) -> AFLW2000Annotations:
    """The annotations of the pictures that a text file names, one a line, in their own order.

    Raises:
        DataError: the file cannot be read, or holds no name or that of another picture.
    """
    names = read_names(path, annotations.names, "annotated picture")
    if not names:
        raise DataError(f"{path}: holds no picture's name")
    rows = [row for row, name in enumerate(annotations.names) if name in names]
    other = annotations.reannotated_px
    return AFLW2000Annotations(
        names=tuple(annotations.names[row] for row in rows),
        original_px=annotations.original_px[rows],
        reannotated_px=None if other is None else other[rows],
        yaw_deg=annotations.yaw_deg[rows],
        roi_box_px=annotations.roi_box_px[rows],
    )


def score_aflw2000(
    source: FaceSource,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    *,
    annotation: AnnotationKind = "original",
    dense: DenseProtocol | None = None,
    keep_vertices: bool = False,
    progress: Progress | None = None,
    workers: int = 1,
) -> tuple[ImageResult, ...]:
    """Score every annotated image, whoever says where the face is.

    With several workers (threads) the source is called from several threads. Pictures without
    annotation are not used. `dense` scores vertices, too; `keep_vertices` keeps them for
    `predictions_of` (2.6 GB for 2,000 faces of the Basel model).

    Raises:
        DataError: an annotated image is missing from the data set or malformed, or a prediction
            does not fit.
    """
    require_pictures(dataset, annotations)
    truth = annotations.landmarks_2d_px(annotation)

    def scored(row: int) -> ImageResult:
        result = _score_image(source, dataset, annotations, truth[row], dense, row)
        return result if keep_vertices else replace(result, vertices_px=None)

    rows = range(len(annotations.names))
    with ThreadPoolExecutor(workers) as pool:
        scores = iter(pool.map(scored, rows) if workers > 1 else map(scored, rows))
        return tuple(next(scores) for _ in counted(rows, progress))


def require_pictures(dataset: AFLW2000, annotations: AFLW2000Annotations) -> None:
    """Nothing, if every annotated image is there.

    Raises:
        DataError: one is missing.
    """
    absent = [name for name in annotations.names if name not in dataset.index_of]
    if absent:
        raise DataError(f"{absent[0]} and {len(absent) - 1} more annotated images are missing")


def _score_image(
    source: FaceSource,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    truth: Float[np.ndarray, "68 2"],
    dense: DenseProtocol | None,
    row: int,
) -> ImageResult:
    name = annotations.names[row]
    index = dataset.index_of[name]
    sample = dataset[index]
    face = source(row, name, sample)
    yaw = float(annotations.yaw_deg[row])
    angles = np.full(3, np.nan) if sample.angles_deg is None else sample.angles_deg
    openings = face_openings(annotations.original_px[row])
    if face is None:
        return ImageResult(name, yaw, None, None, angles, openings=openings)
    landmark_errors = landmark_errors_2d(face.landmarks_px[None, :, :2], truth[None])[0]
    errors = None
    if dense is not None and face.vertices_px is not None:
        height, parameters = sample.image.shape[0], dataset.parameters(index)
        if not parameters.pose_oddities:
            errors = dense.errors(name, face.vertices_px, parameters, height)
    return ImageResult(
        name=name,
        yaw_deg=yaw,
        nme_2d_68=float(landmark_errors.mean()),
        angles_deg=face.angles_deg,
        true_angles_deg=angles,
        landmarks_px=face.landmarks_px,
        vertices_px=None
        if dense is None or face.vertices_px is None
        else np.asarray(face.vertices_px, dtype=np.float32),
        box_px=face.box_px,
        openings=openings,
        skin_tone_deg=face.skin_tone_deg,
        dense=errors,
        seconds=face.seconds,
        landmark_errors=landmark_errors,
        confidence=face.confidence,
        landmark_confidence=face.landmark_confidence,
    )
