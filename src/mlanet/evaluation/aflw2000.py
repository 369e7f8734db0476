"""Sparse alignment and head pose on AFLW2000-3D."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeAlias, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations, Sample
from mlanet.datasets.aflw2000_annotations import AnnotationKind
from mlanet.detection import Detection, turns_to_upright
from mlanet.errors import DataError
from mlanet.evaluation.dense import DenseProtocol
from mlanet.evaluation.groups import face_openings
from mlanet.evaluation.name_lists import read_names
from mlanet.evaluation.predictions import FacePrediction
from mlanet.evaluation.report import AFLW2000Report, CropSource, ImageResult
from mlanet.geometry import bounding_box, box_iou
from mlanet.metrics import nme_2d_68

MIN_IOU = 0.3
"""A detection is of the annotated face if its box overlaps the landmarks' box this much."""


@runtime_checkable
class Prediction(Protocol):
    """What is evaluated of one face."""

    @property
    def landmarks_px(self) -> Float[np.ndarray, "68 3"]:
        """Landmarks in pixels of the original image; z is not used here."""
        ...

    @property
    def euler_deg(self) -> Float[np.ndarray, "3"]:
        """Pitch, yaw, roll in degrees (docs/reference/conventions.md)."""
        ...


@runtime_checkable
class LandmarkPredictor(Protocol):
    """What is evaluated. Boxes are (left, top, right, bottom) in pixels of the image."""

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> Sequence[Detection]:
        """All faces in an RGB picture."""
        ...

    def crop_box(self, detection: Detection) -> Float[np.ndarray, "4"]:
        """The square that the network is to see of a detected face."""
        ...

    def predict_in_box(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        box_px: Float[np.ndarray, "4"],
        quarter_turns: int = 0,
    ) -> Prediction:
        """The face in a square box, which may reach beyond the image.

        `quarter_turns` of the square by `numpy.rot90` bring the face nearest to upright.
        """
        ...


AnyPredictor = TypeVar("AnyPredictor", bound=LandmarkPredictor)

FaceSource: TypeAlias = Callable[[int, str, Sample], FacePrediction | None]
"""From an image's row, name and content to the face in it; None if it was missed."""


@dataclass(frozen=True, eq=False)
class NetworkSource(Generic[AnyPredictor]):
    """Faces as a predictor sees them, in the crop of the protocol or of its own detector.

    With the ground-truth crop, faces are cut by `square_roi_box`. With the detector's, the
    detection whose box overlaps the bounding box of the true landmarks best is used; if that
    overlap (intersection over union) is below `MIN_IOU`, the face counts as missed.

    Attributes:
        predictor: detector and network.
        annotations: landmarks and ground-truth boxes.
        annotation: which landmarks choose among detections.
        crop: where the network's crop comes from.
        skin_tone: the individual typology angle in degrees of what the predictor returned.
        vertices: the Basel model's vertices (pixels) of what the predictor returned.
    """

    predictor: AnyPredictor
    annotations: AFLW2000Annotations
    annotation: AnnotationKind = "original"
    crop: CropSource = "ground-truth"
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
        found = self.predictor.predict_in_box(sample.image, box, turns)
        landmarks = np.asarray(found.landmarks_px, dtype=np.float64)
        seconds = time.perf_counter() - started
        return FacePrediction(
            landmarks_px=landmarks,
            angles_deg=np.asarray(found.euler_deg, dtype=np.float64),
            vertices_px=None if self.vertices is None else self.vertices(found),
            box_px=np.asarray(box, dtype=np.float64),
            skin_tone_deg=None if self.skin_tone is None else self.skin_tone(found),
            seconds=seconds,
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


def evaluate_aflw2000(
    predictor: LandmarkPredictor,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    *,
    annotation: AnnotationKind = "original",
    crop: CropSource = "ground-truth",
    versions: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> AFLW2000Report:
    """Run a predictor over every annotated image; see `NetworkSource` and `score_aflw2000`."""
    source = NetworkSource(predictor, annotations, annotation, crop)
    return score_aflw2000(
        source,
        dataset,
        annotations,
        annotation=annotation,
        crop=crop,
        versions=versions,
        progress=progress,
        workers=workers,
    )


def score_aflw2000(
    source: FaceSource,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    *,
    annotation: AnnotationKind = "original",
    crop: CropSource = "ground-truth",
    method: str = "mlanet",
    dense: DenseProtocol | None = None,
    keep_vertices: bool = False,
    fitted_tones: bool = False,
    versions: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> AFLW2000Report:
    """Score every annotated image, whoever says where the face is.

    Args:
        source: Gives the faces; called from several threads if there are several workers.
        dataset: The pictures; those without annotation are not used.
        annotations: Landmarks, yaw and ground-truth boxes.
        annotation: Which of the two sets of landmarks is the truth.
        crop: Where the method's crop came from, for the report.
        method: Its name, for the report.
        dense: Scores vertices, too.
        keep_vertices: Keep the vertices that were scored, for `AFLW2000Report.predictions`
            (2.6 GB with those, for 2,000 faces of the Basel model).
        fitted_tones: The source fits albedo to tell skin tones, for the report.
        versions: Versions of weights and assets, copied into the report.
        progress: Called with (images done, images in all) after each image.
        workers: Threads.

    Raises:
        DataError: an annotated image is missing from the data set or malformed, or a prediction
            does not fit.
    """
    require_pictures(dataset, annotations)
    truth = annotations.landmarks_2d_px(annotation)

    def result(row: int) -> ImageResult:
        found = _score_image(source, dataset, annotations, truth[row], dense, row)
        return found if keep_vertices else replace(found, vertices_px=None)

    started = time.perf_counter()
    results: list[ImageResult] = []
    rows = range(len(annotations.names))
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(result, rows) if workers > 1 else map(result, rows):
            results.append(found)
            if progress is not None:
                progress(len(results), len(rows))
    wall = time.perf_counter() - started
    return AFLW2000Report(
        annotation,
        crop,
        tuple(results),
        dict(versions or {}),
        method=method,
        wall_seconds=wall,
        fitted_tones=fitted_tones,
    )


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
    errors = None
    if dense is not None and face.vertices_px is not None:
        height, parameters = sample.image.shape[0], dataset.parameters(index)
        if not parameters.pose_oddities:
            errors = dense.errors(name, face.vertices_px, parameters, height)
    return ImageResult(
        name=name,
        yaw_deg=yaw,
        nme_2d_68=float(nme_2d_68(face.landmarks_px[None, :, :2], truth[None])[0]),
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
    )


def framed_face(
    predictor: LandmarkPredictor,
    image: UInt8[np.ndarray, "h w 3"],
    roi_box_px: Float[np.ndarray, "4"],
    truth_px: Float[np.ndarray, "68 2"],
    crop: CropSource,
) -> tuple[Float[np.ndarray, "4"], int] | None:
    """The square that the predictor is to see, and by how many quarter turns it is turned.

    None if the detector missed the face. The ground-truth crop is never turned.
    """
    if crop == "ground-truth":
        height, width = image.shape[:2]
        return square_roi_box(roi_box_px, (width, height)), 0
    return _detected_face(predictor, image, truth_px)


def square_roi_box(
    roi_box_px: Float[np.ndarray, "4"], image_size: tuple[int, int]
) -> Float[np.ndarray, "4"]:
    """The protocol's ground-truth box as a square with the longer side of `roi_box_px`.

    3DDFA's benchmark (Zhu et al., 2017) takes the square around the landmarks' bounding box
    with `sqrt(2)` times its longer side, and clips it to the image (from 1 to `image_size`,
    which is width and height). The few clipped boxes (3 %) are no squares any more; 3DDFA
    stretches them. Here the square is restored instead: a shorter axis grows outwards where it
    touches the image's border, evenly on both sides otherwise (rounding).
    """
    low, high = roi_box_px[:2].astype(np.float64), roi_box_px[2:].astype(np.float64)
    missing = (high - low).max() - (high - low)
    clipped_low, clipped_high = low <= 1.0, high >= np.asarray(image_size, dtype=np.float64)
    share = np.where(clipped_low == clipped_high, 0.5, np.where(clipped_low, 1.0, 0.0))
    return np.concatenate([low - share * missing, high + (1.0 - share) * missing])


def _detected_face(
    predictor: LandmarkPredictor,
    image: UInt8[np.ndarray, "h w 3"],
    truth_px: Float[np.ndarray, "68 2"],
) -> tuple[Float[np.ndarray, "4"], int] | None:
    detections = predictor.detect(image)
    if not detections:
        return None
    boxes = np.stack([detection.box_px for detection in detections]).astype(np.float64)
    overlap = box_iou(boxes, bounding_box(truth_px)[None])[:, 0]
    best = int(overlap.argmax())
    if overlap[best] < MIN_IOU:
        return None
    return predictor.crop_box(detections[best]), turns_to_upright(detections[best])
