"""Training: data, objective, loop, checkpoints, export. Needs the `train` extra.

Configurations do without it: `train` is imported on first use.
"""

from typing import TYPE_CHECKING

from mlanet.lazy import lazy_names
from mlanet.training.augmentation import AugmentationConfig
from mlanet.training.config import SourceConfig, Stage, TrainingConfig
from mlanet.training.terms import (
    BlockDeviations,
    BlockWeights,
    LossWeights,
    RenderedWeights,
    paper_weights,
)

if TYPE_CHECKING:
    from mlanet.training.loop import train

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

__getattr__ = lazy_names(__name__, {"train": "mlanet.training.loop"})
