"""The square that networks are shown, from a detection."""

import numpy as np
from jaxtyping import Float

from mlanet.detection.detection import Detection

DOWN_PER_EYES_TO_MOUTH = 0.24
"""The crop's centre lies below the box's by this part of the way from the eyes to the mouth."""

SIDE_PER_BOX = 1.38
"""Side of the crop over the geometric mean of the box's width and height."""


def square_from_detection(detection: Detection) -> Float[np.ndarray, "4"]:
    """The square (left, top, right, bottom; pixels of the picture) to crop for a detection.

    It imitates the framing of the training crops, whose squares come from landmarks (see
    `mlanet.image.square_from_landmarks`). Both constants were measured on AFLW training crops
    by `assets/calibrate_detection_crop.py`; docs/detection.md has the residuals by pose.
    """
    box, points = detection.box_px, detection.landmarks_px
    down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    center = (box[:2] + box[2:]) / 2.0 + DOWN_PER_EYES_TO_MOUTH * down
    half = SIDE_PER_BOX * detection.size_px / 2.0
    return np.concatenate([center - half, center + half])
