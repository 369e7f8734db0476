"""What a network is to see of an annotated face: the protocol's square or its detector's."""

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from mlanet.detection import Detection, turns_to_upright
from mlanet.geometry import bounding_box, box_iou

CropSource: TypeAlias = Literal["ground-truth", "detector", "unknown"]
"""Who says where the face is; unknown of other methods' predictions."""

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
    best = annotated_face(predictor.detect(image), bounding_box(truth_px), MIN_IOU)
    return None if best is None else (predictor.crop_box(best), turns_to_upright(best))


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


def annotated_face(
    detections: Sequence[Detection], box_px: Float[np.ndarray, "4"], min_iou: float
) -> Detection | None:
    """The detection whose box overlaps the annotated one best; None if none does enough.

    Boxes are left, top, right, bottom; `min_iou` is the least intersection over union.
    """
    if not detections:
        return None
    boxes = np.stack([detection.box_px for detection in detections]).astype(np.float64)
    overlap = box_iou(boxes, box_px[None])[:, 0]
    best = int(overlap.argmax())
    return detections[best] if overlap[best] >= min_iou else None
