"""Training: data, objective, loop, checkpoints, export. Needs the `train` extra."""

from mlanet.training.augmentation import AugmentationConfig
from mlanet.training.config import SourceConfig, Stage, TrainingConfig
from mlanet.training.loop import train
from mlanet.training.terms import (
    BlockDeviations,
    BlockWeights,
    LossWeights,
    RenderedWeights,
    paper_weights,
)

__all__ = [
    "AugmentationConfig",
    "BlockDeviations",
    "BlockWeights",
    "LossWeights",
    "RenderedWeights",
    "SourceConfig",
    "Stage",
    "TrainingConfig",
    "paper_weights",
    "train",
]
