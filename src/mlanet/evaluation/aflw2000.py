"""Sparse alignment and head pose on AFLW2000-3D."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.datasets import AFLW2000, AFLW2000Annotations
from mlanet.datasets.aflw2000 import AnnotationKind
from mlanet.detection import Detection
from mlanet.errors import DataError
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
        """Pitch, yaw, roll in degrees (docs/conventions.md)."""
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
        self, image: UInt8[np.ndarray, "h w 3"], box_px: Float[np.ndarray, "4"]
    ) -> Prediction:
        """The face in a square box, which may reach beyond the image."""
        ...


def evaluate_aflw2000(
    predictor: LandmarkPredictor,
    dataset: AFLW2000,
    annotations: AFLW2000Annotations,
    *,
    annotation: AnnotationKind = "original",
    crop: CropSource = "ground-truth",
    versions: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> AFLW2000Report:
    """Run a predictor over every annotated image.

    With the ground-truth crop, faces are cut by `square_roi_box`. With the detector's, the
    detection whose box overlaps the bounding box of the true landmarks best is used; if that
    overlap (intersection over union) is below `MIN_IOU`, the face counts as missed.

    Args:
        predictor: Detector and network.
        dataset: The pictures; those without annotation are not used.
        annotations: Landmarks, yaw and ground-truth boxes.
        annotation: Which of the two sets of landmarks is the truth.
        crop: Where the network's crop comes from.
        versions: Versions of weights and assets, copied into the report.
        progress: Called with (images done, images in all) after each image.

    Raises:
        DataError: an annotated image is missing from the data set or malformed.
    """
    absent = [name for name in annotations.names if name not in dataset.index_of]
    if absent:
        raise DataError(f"{absent[0]} and {len(absent) - 1} more annotated images are missing")
    truth = annotations.landmarks_2d_px(annotation)
    results: list[ImageResult] = []
    seconds = 0.0
    for row, name in enumerate(annotations.names):
        sample = dataset[dataset.index_of[name]]
        if sample.angles_deg is None:
            raise DataError(f"{name}: the head pose is missing")
        started = time.perf_counter()
        box = face_box(predictor, sample.image, annotations.roi_box_px[row], truth[row], crop)
        prediction = None if box is None else predictor.predict_in_box(sample.image, box)
        seconds += time.perf_counter() - started
        nme, angles = None, None
        if prediction is not None:
            landmarks = np.asarray(prediction.landmarks_px, dtype=np.float64)[None, :, :2]
            nme = float(nme_2d_68(landmarks, truth[row : row + 1])[0])
            angles = np.asarray(prediction.euler_deg, dtype=np.float64)
        yaw = float(annotations.yaw_deg[row])
        results.append(ImageResult(name, yaw, nme, angles, sample.angles_deg))
        if progress is not None:
            progress(row + 1, len(annotations.names))
    return AFLW2000Report(annotation, crop, tuple(results), seconds, dict(versions or {}))


def face_box(
    predictor: LandmarkPredictor,
    image: UInt8[np.ndarray, "h w 3"],
    roi_box_px: Float[np.ndarray, "4"],
    truth_px: Float[np.ndarray, "68 2"],
    crop: CropSource,
) -> Float[np.ndarray, "4"] | None:
    """The square that the predictor is to see; None if the detector missed the face."""
    if crop == "ground-truth":
        height, width = image.shape[:2]
        return square_roi_box(roi_box_px, (width, height))
    return _detected_box(predictor, image, truth_px)


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


def _detected_box(
    predictor: LandmarkPredictor,
    image: UInt8[np.ndarray, "h w 3"],
    truth_px: Float[np.ndarray, "68 2"],
) -> Float[np.ndarray, "4"] | None:
    detections = predictor.detect(image)
    if not detections:
        return None
    boxes = np.stack([detection.box_px for detection in detections]).astype(np.float64)
    overlap = box_iou(boxes, bounding_box(truth_px)[None])[:, 0]
    best = int(overlap.argmax())
    return predictor.crop_box(detections[best]) if overlap[best] >= MIN_IOU else None
