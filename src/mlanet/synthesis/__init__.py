"""Making labelled faces: rendered heads and turned photos. NumPy and OpenCV only."""

from mlanet.synthesis.heads import HeadsConfig, RenderedHeads, random_lighting

__all__ = ["HeadsConfig", "RenderedHeads", "random_lighting"]
