"""Which of several detections is the face that a protocol means."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from mlanet.detection import Detection
from mlanet.geometry import box_iou


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
