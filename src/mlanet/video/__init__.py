"""Films: people followed from frame to frame, and files of what they do."""

from mlanet.video.capture import FaceCapture, LiveFace
from mlanet.video.smoothing import LiveSmoother, Motion, OneEuro, smoothed
from mlanet.video.tracker import TrackedFace, Tracker, TrackerConfig

__all__ = [
    "FaceCapture",
    "LiveFace",
    "LiveSmoother",
    "Motion",
    "OneEuro",
    "TrackedFace",
    "Tracker",
    "TrackerConfig",
    "smoothed",
]
