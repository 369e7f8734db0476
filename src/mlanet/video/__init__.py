"""Films: people followed from frame to frame, files of what they do, and avatars that do it too."""

from mlanet.video.avatar_films import AvatarFilm
from mlanet.video.capture import FaceCapture, LiveFace
from mlanet.video.performances import calmed, read_performance
from mlanet.video.retargeting import Neutral, neutral_at, retargeted, usual_neutral
from mlanet.video.smoothing import LiveSmoother, Motion, OneEuro, smoothed
from mlanet.video.stage import Stage
from mlanet.video.tracker import TrackedFace, Tracker
from mlanet.video.tracker_config import TrackerConfig

__all__ = [
    "AvatarFilm",
    "FaceCapture",
    "LiveFace",
    "LiveSmoother",
    "Motion",
    "Neutral",
    "OneEuro",
    "Stage",
    "TrackedFace",
    "Tracker",
    "TrackerConfig",
    "calmed",
    "neutral_at",
    "read_performance",
    "retargeted",
    "smoothed",
    "usual_neutral",
]
