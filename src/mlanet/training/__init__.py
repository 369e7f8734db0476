"""Training: data, objective, loop, checkpoints, export. Needs the `train` extra."""

from mlanet.training.augmentation import AugmentationConfig
from mlanet.training.config import LossWeights, Stage, TrainingConfig
from mlanet.training.loop import train

__all__ = ["AugmentationConfig", "LossWeights", "Stage", "TrainingConfig", "train"]
