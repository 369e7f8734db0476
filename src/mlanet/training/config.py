"""The configuration of a training run."""

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from mlanet.errors import ConfigurationError
from mlanet.network.config import PRESETS, Attention, Fusion, NetworkConfig
from mlanet.training.augmentation import AugmentationConfig


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the objective's terms.

    Attributes:
        landmarks: mean landmark distance in per cent of the face's size.
        apertures: error of the gaps between lids and lips, in per cent.
        identity_prior: mean square of identity coefficients.
        expression_prior: mean square of expression coefficients over their deviation.
        photometric: colour distance at the visible vertices; trains albedo and lighting alone.
        albedo_prior: mean square of albedo coefficients.
        light: coloured light.
        light_prior: mean square of the lighting offsets.
    """

    landmarks: float = 1.0
    apertures: float = 0.25
    identity_prior: float = 0.3
    expression_prior: float = 0.1
    photometric: float = 4.0
    albedo_prior: float = 0.05
    light: float = 1.0
    light_prior: float = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run with its own crop size: small crops first teach most for the least.

    Attributes:
        fraction: share of the run's steps.
        input_size: side of the crops in pixels, a multiple of 32.
    """

    fraction: float
    input_size: int


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One training run. Everything that decides its result stands here.

    Attributes:
        preset: name of the network's configuration (`mlanet.network.PRESETS`).
        attention: instead of the preset's; None keeps that.
        fusion: likewise.
        steps: optimiser steps.
        batch_size: samples in a step.
        learning_rate: peak of the one-cycle schedule.
        warmup: share of the steps in which the rate rises.
        weight_decay: AdamW's, on weights of two or more dimensions.
        gradient_clip: largest norm of the gradient.
        ema_decay: decay of the averaged weights that are evaluated and exported.
        stages: crop sizes over time; fractions add up to 1.
        expression_deviation: standard deviation expected of expression coefficients.
        held_out: every n-th labelled face is kept for validation.
        seed: of the data's order, the augmentation and the initial weights.
        augmentation: ranges of the random changes.
        weights: of the objective's terms.
    """

    preset: str = "mobile"
    attention: Attention | None = None
    fusion: Fusion | None = None
    steps: int = 3000
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    gradient_clip: float = 5.0
    ema_decay: float = 0.998
    stages: tuple[Stage, ...] = (Stage(0.45, 96), Stage(0.55, 128))
    expression_deviation: float = 0.3
    held_out: int = 40
    seed: int = 0
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    weights: LossWeights = field(default_factory=LossWeights)

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch_size", 1), ("held_out", 1), ("seed", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or value < least:
                raise ConfigurationError(
                    f"{name} must be a whole number of at least {least}, got {value!r}"
                )
        if self.batch_size < 2:
            raise ConfigurationError("batch_size must be at least 2: batch norm needs a batch")
        if not self.stages or abs(sum(stage.fraction for stage in self.stages) - 1.0) > 1e-6:
            raise ConfigurationError("stages: the fractions must add up to 1")
        for stage in self.stages:
            if stage.input_size < 32 or stage.input_size % 32:
                raise ConfigurationError(
                    f"stages: input_size must be a multiple of 32, got {stage.input_size}"
                )
        if self.attention is not None or self.fusion is not None:
            self.network()
        if self.learning_rate <= 0:
            raise ConfigurationError(f"learning_rate must be positive, got {self.learning_rate}")

    def network(self) -> NetworkConfig:
        """The preset's network with this run's attention and fusion.

        Raises:
            ConfigurationError: there is no such preset, attention or fusion.
        """
        if self.preset not in PRESETS:
            raise ConfigurationError(f"preset: {self.preset!r} is none of {', '.join(PRESETS)}")
        given = {"attention": self.attention, "fusion": self.fusion}
        changes = {name: value for name, value in given.items() if value is not None}
        return replace(PRESETS[self.preset], **changes)

    def input_size_at(self, step: int) -> int:
        """The crop size of a step."""
        end = 0.0
        for stage in self.stages:
            end += stage.fraction * self.steps
            if step < end:
                return stage.input_size
        return self.stages[-1].input_size

    @classmethod
    def read(cls, path: Path) -> "TrainingConfig":
        """A configuration from a JSON file, or that of a run from its `config.json`.

        Fields that are not given keep their defaults.

        Raises:
            ConfigurationError: the file is not JSON, names an unknown field or contradicts
                itself.
        """
        try:
            values: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path}: not a readable JSON file ({error})") from error
        values = values.get("training", values) if isinstance(values, dict) else values
        if not isinstance(values, dict):
            raise ConfigurationError(f"{path}: a configuration is a JSON object")
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ConfigurationError(f"{path}: unknown field {', '.join(sorted(unknown))}")
        try:
            if "stages" in values:
                values["stages"] = tuple(Stage(**stage) for stage in values["stages"])
            if "augmentation" in values:
                values["augmentation"] = AugmentationConfig(**values["augmentation"])
            if "weights" in values:
                values["weights"] = LossWeights(**values["weights"])
            return cls(**values)
        except (TypeError, ConfigurationError) as error:
            raise ConfigurationError(f"{path}: {str(error).splitlines()[0]}") from error
