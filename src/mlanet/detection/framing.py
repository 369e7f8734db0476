"""The square that networks are shown, from a detection."""

import numpy as np
from jaxtyping import Float

from mlanet.detection.detection import Detection

DOWN_PER_EYES_TO_MOUTH = 0.24
"""The crop's centre lies off the box's by this part of the way from the eyes to the mouth."""

SIDE_PER_EYES_TO_MOUTH = 3.0
"""Side of the crop over the distance from the eyes to the mouth, in full profile."""

EYE_DISTANCE_WEIGHT = 0.2
"""How much the square of the eyes' distance adds to the square of that distance."""


def turns_to_upright(detection: Detection) -> int:
    """By how many quarter turns `numpy.rot90` brings a detected face nearest to upright, 0 to 3.

    By the five points: from the eyes to the mouth is down.
    """
    points = detection.landmarks_px
    right, down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    return -round(float(np.arctan2(right, down)) / (np.pi / 2.0)) % 4


def square_from_detection(detection: Detection) -> Float[np.ndarray, "4"]:
    """The square (left, top, right, bottom; pixels of the picture) to crop for a detection.

    It imitates the framing of the training crops, whose squares come from landmarks (see
    `mlanet.image.square_from_landmarks`). The size is taken from the five points, as boxes
    depend on how much of the forehead is in the picture. The constants were measured on AFLW
    training crops by `assets/calibrate_detection_crop.py`: against the true square the centre
    is off by 3.3 % of its side (median; 95 %: 8.8 %), the side by 5.0 % (19 %);
    docs/explanation/detection.md
    has the figures by pose.

    Raises:
        ValueError: the five points coincide.
    """
    box, points = detection.box_px, detection.landmarks_px
    down = points[3:].mean(axis=0) - points[:2].mean(axis=0)
    across = points[1] - points[0]
    side = SIDE_PER_EYES_TO_MOUTH * np.sqrt(down @ down + EYE_DISTANCE_WEIGHT * across @ across)
    if side <= 0.0:
        raise ValueError("the five points of a detection must not coincide")
    center = (box[:2] + box[2:]) / 2.0 + DOWN_PER_EYES_TO_MOUTH * down
    return np.concatenate([center - side / 2.0, center + side / 2.0])
