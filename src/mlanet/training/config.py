"""The configuration of a training run."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError, did_you_mean
from mlanet.files import PARSER_ERRORS, one_line, read_json
from mlanet.network.config import PRESETS, Attention, Fusion, NetworkConfig
from mlanet.training.augmentation import AugmentationConfig
from mlanet.training.checks import build, check_range, check_types
from mlanet.training.terms import (
    KNOWN_TERMS,
    LABEL_TERMS,
    BlockDeviations,
    BlockWeights,
    LossWeights,
    RenderedWeights,
    paper_weights,
)

DEFAULT_PRESET = "mobile"

CONFIG = "config.json"
"""File in a run's folder that holds its configuration."""

BATCHES = 2
"""How batches follow from a configuration: grows when the same one gives others."""

PAPER_WEIGHTS = "paper"
"""What a file gives as `weights` and `unlabelled_weights` for the paper's."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a run with its own crop size: small crops first teach most for the least.

    Attributes:
        fraction: share of the run's steps.
        input_size: side of the crops in pixels, a multiple of 32.
    """

    fraction: float
    input_size: int

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, 0.0, 1.0, "fraction")
        if self.input_size < 32 or self.input_size % 32:
            raise ConfigurationError(f"input_size must be a multiple of 32, got {self.input_size}")


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """Where a share of the samples comes from.

    Attributes:
        folder: below the data's root: pictures in tar files beside `labels.npz`, as data sets and
            `mlanet synthesize` have them, or another layout of docs/reference/datasets.md; empty
            for heads
            rendered while training.
        share: of the labelled (or unlabelled) part of each batch; shares add up to 1.
        labels: file below the data's root that `mlanet label` wrote for this folder; empty for
            none.
        heads: how many heads are rendered where there is no folder.
        known: blocks of coefficients that are taken as known, of those that the labels have; empty
            for all of these.
        telling: only faces whose expressions are seldom seen, as the labels say.
        together: so many pictures of a person come one after another, where there are so many: the
            others are what the term `people` compares with.
    """

    folder: str = ""
    share: float = 1.0
    labels: str = ""
    heads: int = 20_000
    known: tuple[str, ...] = ()
    telling: bool = False
    together: int = 1

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, 1e-6, 1.0, "share")
        check_range(self, 1, math.inf, "heads", "together")
        if self.labels and not self.folder:
            raise ConfigurationError("labels: rendered heads bring their own")
        if self.telling and not self.labels:
            raise ConfigurationError("telling: only labels say which faces are")
        if self.known and not self.folder:
            raise ConfigurationError("known: of rendered heads everything is")
        blocks = [item.name for item in fields(Coefficients)]
        given: Any = self.known
        if not isinstance(given, list | tuple) or not set(blocks).issuperset(self.known):
            raise ConfigurationError(f"known must be a list of {', '.join(blocks)}")
        object.__setattr__(self, "known", tuple(self.known))  # JSON has lists


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """One training run. Everything that decides its result stands here.

    Attributes:
        preset: name of the network's configuration (`mlanet.network.PRESETS`).
        attention: instead of the preset's; None keeps that.
        fusion: likewise.
        face_model: file of the face model whose coefficients are learnt, as `mlanet models convert`
            writes it, seen from the working directory; empty for the embedded model.
        steps: optimiser steps.
        batch_size: samples in a step, of all processes together.
        learning_rate: peak of the one-cycle schedule.
        warmup: share of the steps in which the rate rises.
        weight_decay: AdamW's, on weights of two or more dimensions.
        gradient_clip: largest norm of the gradient.
        ema_decay: decay of the averaged weights that are evaluated and exported.
        stages: crop sizes over time; fractions add up to 1.
        expression_deviation: standard deviation expected of expression coefficients.
        landmark_depth: how much a squared error of labelled depth counts in the term `landmarks`
            beside one of x or y; 0 where the labels' depth is not to be learnt.
        held_out: every n-th labelled face is kept for validation.
        seed: of the data's order, the augmentation and the initial weights.
        augmentation: ranges of the random changes.
        weights: of the terms of labelled samples.
        block_weights: of the blocks of known coefficients in `standardized_coefficients`.
        block_deviations: their standard deviations there.
        sources: of labelled samples; empty for all folders of real faces as one.
        unlabelled: share of each batch whose labels are not used.
        unlabelled_sources: of these; empty for those of the labelled samples.
        unlabelled_weights: of the terms of unlabelled samples.
        unlabelled_warmup: share of the steps in which these terms grow from nothing.
        labelled_rendered: factor of `unlabelled_weights` on labelled samples, beside their own
            terms.
        precision: of the network's arithmetic: 32 bits, or mixed with 16.
        accumulation: parts of which a step's gradient is summed, to save memory.
        frozen_norms: batch norms use and keep the statistics that they start with.
        frozen_stages: the backbone's first stages (of four) that are kept as they start, norms
            included: a step is quicker, and what they see stays.
        trained: everything, or of a finished network (`--init`) the head of the uncertainty alone
            (`weights.likelihood`): all else stays as it is, batch norms' statistics included.
    """

    preset: str = DEFAULT_PRESET
    attention: Attention | None = None
    fusion: Fusion | None = None
    face_model: Annotated[str, tyro.conf.arg(aliases=["--model"])] = ""
    steps: int = 3000
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    gradient_clip: float = 5.0
    ema_decay: float = 0.998
    stages: tuple[Stage, ...] = (Stage(0.45, 96), Stage(0.55, 128))
    expression_deviation: float = 0.3
    landmark_depth: float = 0.5
    held_out: int = 40
    seed: int = 0
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    weights: LossWeights = field(default_factory=LossWeights)
    block_weights: BlockWeights = field(default_factory=BlockWeights)
    block_deviations: BlockDeviations = field(default_factory=BlockDeviations)
    sources: tuple[SourceConfig, ...] = ()
    unlabelled: float = 0.0
    unlabelled_sources: tuple[SourceConfig, ...] = ()
    unlabelled_weights: RenderedWeights = field(default_factory=RenderedWeights)
    unlabelled_warmup: float = 0.1
    labelled_rendered: float = 0.0
    precision: Literal["no", "bf16", "fp16"] = "no"
    accumulation: int = 1
    frozen_norms: bool = False
    frozen_stages: int = 0
    trained: Literal["all", "uncertainty"] = "all"

    def __post_init__(self) -> None:
        check_types(self)
        check_range(self, 1, math.inf, "steps", "batch_size", "held_out", "accumulation")
        check_range(
            self, 0, math.inf, "seed", "weight_decay", "labelled_rendered", "landmark_depth"
        )
        check_range(self, 0, 4, "frozen_stages")
        check_range(self, 0.0, 1.0, "warmup", "ema_decay", "unlabelled_warmup")
        for name in ("learning_rate", "gradient_clip", "expression_deviation"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"{name} must be positive, got {getattr(self, name)}")
        for name, kind in (
            ("stages", Stage),
            ("sources", SourceConfig),
            ("unlabelled_sources", SourceConfig),
        ):
            parts = getattr(self, name)
            if not isinstance(parts, tuple) or not all(isinstance(part, kind) for part in parts):
                raise ConfigurationError(f"{name} must be a list of objects, got {parts!r}")
        if not self.stages or abs(sum(stage.fraction for stage in self.stages) - 1.0) > 1e-6:
            raise ConfigurationError("stages: the fractions must add up to 1")
        for name in ("sources", "unlabelled_sources"):
            shares = [source.share for source in getattr(self, name)]
            if shares and abs(sum(shares) - 1.0) > 1e-6:
                raise ConfigurationError(f"{name}: the shares must add up to 1")
        self._check_batch()
        compared = self.weights.any_of(LABEL_TERMS + KNOWN_TERMS)
        if not (compared or self.num_unlabelled or self.labelled_rendered > 0.0):
            raise ConfigurationError("weights: no term compares anything")
        if self.trained == "uncertainty" and self.weights.likelihood == 0.0:
            raise ConfigurationError("trained: the uncertainty is learnt by weights.likelihood")
        self.network()

    def _check_batch(self) -> None:
        if not 0.0 <= self.unlabelled < 1.0:
            raise ConfigurationError(f"unlabelled must be in [0, 1), got {self.unlabelled}")
        if self.num_labelled < 1:
            raise ConfigurationError("unlabelled: leaves no labelled sample in a batch")
        if self.batch_size < 2 * self.accumulation:
            raise ConfigurationError(
                "batch_size must be at least 2, and so must its parts by accumulation: "
                "batch norm needs a batch"
            )
        if self.num_labelled % self.accumulation or self.num_unlabelled % self.accumulation:
            raise ConfigurationError(
                f"accumulation: {self.num_labelled} labelled and {self.num_unlabelled} unlabelled "
                f"samples cannot be cut into {self.accumulation} equal parts"
            )

    @property
    def num_unlabelled(self) -> int:
        """Unlabelled samples in a batch."""
        return round(self.unlabelled * self.batch_size)

    @property
    def num_labelled(self) -> int:
        """Labelled samples in a batch."""
        return self.batch_size - self.num_unlabelled

    def network(self) -> NetworkConfig:
        """The preset's network with this run's attention, fusion and, if learnt, uncertainty.

        Raises:
            ConfigurationError: there is no such preset, attention or fusion.
        """
        given = {"attention": self.attention, "fusion": self.fusion}
        changes: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
        preset = _preset(self.preset)
        uncertainty = preset.uncertainty or self.weights.likelihood > 0.0
        return replace(preset, **changes, uncertainty=uncertainty)

    def input_size_at(self, step: int) -> int:
        """The crop size of a step."""
        end = 0.0
        for stage in self.stages:
            end += stage.fraction * self.steps
            if step < end:
                return stage.input_size
        return self.stages[-1].input_size

    def unlabelled_factor_at(self, step: int) -> float:
        """How much the terms of unlabelled samples count in a step, in [0, 1]."""
        rising = self.unlabelled_warmup * self.steps
        return 1.0 if rising <= 0.0 else min(1.0, (step + 1) / rising)

    @classmethod
    def read(cls, path: Path, changes: Mapping[str, Any] | None = None) -> "TrainingConfig":
        """A configuration from a JSON file, or that of a run from its `config.json`.

        `changes` are values of single fields that replace the file's.

        Fields that are not given keep their defaults. `"paper"` in the place of `weights` or
        `unlabelled_weights` stands for the paper's.

        Raises:
            ConfigurationError: the file is not JSON, names an unknown field or contradicts
                itself.
        """
        values: Any = read_json(path, ConfigurationError)
        of_run = isinstance(values, dict) and "training" in values
        values = values["training"] if of_run else values
        if not isinstance(values, dict):
            raise ConfigurationError(f"{path}: a configuration is a JSON object")
        try:
            return build("", cls, _with_paper_weights({**values, **(changes or {})}))
        except (*PARSER_ERRORS, ConfigurationError) as error:
            text = one_line(error)
            if of_run and text.startswith("unknown field"):
                text = f"{text.split(';')[0]}: a run of another version of mlanet, begin another"
            raise ConfigurationError(f"{path}: {text}") from error


def _with_paper_weights(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a file with the paper's weights where it asks for them."""
    preset = values.get("preset", DEFAULT_PRESET)
    if values.get("weights") == PAPER_WEIGHTS:
        given = {"labelled_rendered": 1.0, "unlabelled_weights": PAPER_WEIGHTS}
        values = given | {"unlabelled_warmup": 0.0} | values
    for place, name in enumerate(("weights", "unlabelled_weights")):
        if values.get(name) == PAPER_WEIGHTS:
            values = values | {name: paper_weights(_preset(preset).layout)[place]}
    return values


def _preset(name: str) -> NetworkConfig:
    """The network of a preset.

    Raises:
        ConfigurationError: there is none; the message lists them.
    """
    if name not in PRESETS:
        hint = did_you_mean(name, PRESETS)
        raise ConfigurationError(f"preset: {name!r} is none of {', '.join(PRESETS)}{hint}")
    return PRESETS[name]
