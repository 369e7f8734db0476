"""Where the faces of a picture are, and which square of it to show the network."""

from mlanet.detection.centerface import LOOKING, SCORE_THRESHOLD, CenterFace
from mlanet.detection.detection import Detection
from mlanet.detection.detector import Detector
from mlanet.detection.framing import square_from_detection, turns_to_upright

__all__ = [
    "LOOKING",
    "SCORE_THRESHOLD",
    "CenterFace",
    "Detection",
    "Detector",
    "square_from_detection",
    "turns_to_upright",
]
