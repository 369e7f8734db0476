"""Films: people followed from frame to frame, and files of what they do."""

from mlanet.video.tracker import TrackedFace, Tracker, TrackerConfig

__all__ = ["TrackedFace", "Tracker", "TrackerConfig"]
