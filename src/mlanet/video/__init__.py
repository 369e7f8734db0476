"""Films: people followed from frame to frame, and files of what they do."""

from mlanet.video.smoothing import LiveSmoother, Motion, OneEuro, smoothed
from mlanet.video.tracker import TrackedFace, Tracker, TrackerConfig

__all__ = [
    "LiveSmoother",
    "Motion",
    "OneEuro",
    "TrackedFace",
    "Tracker",
    "TrackerConfig",
    "smoothed",
]
