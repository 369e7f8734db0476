"""The rows of the ablation: from one configuration to those of all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlanet.errors import ConfigurationError, UsageError
from mlanet.network.config import Attention, Fusion
from mlanet.training import Stage, TrainingConfig
from mlanet.training.terms import RenderedWeights

ARCHITECTURES: Mapping[str, tuple[Attention, Fusion]] = {
    "plain": ("none", "none"),
    "attention": ("coordinate", "none"),
    "fusion": ("none", "bottom-up"),
    "both": ("coordinate", "bottom-up"),
    "top-down": ("coordinate", "top-down"),
}
"""Attention in the blocks and fusion of the stages, as arXiv 2509.10024 takes them apart."""

PLAIN, FULL = "plain-supervised", "both-semi"
"""The rows that others are compared with."""

NUM_SEEDS = 3
"""Runs of `PLAIN` and `FULL`; the other rows have one."""

MIN_SAMPLES = 150_000
"""Labelled crops that a row should see."""

CONSTRAINTS = ("symmetry", "edges", "flip")
"""Terms of unlabelled samples that each have a row of their own, and no weight in the others."""

REDUCED = TrainingConfig(
    preset="small",
    steps=2400,
    batch_size=96,
    unlabelled=1 / 3,
    unlabelled_weights=RenderedWeights(symmetry=0.1, edges=1.0, flip=0.3),
    stages=(Stage(1.0, 64),),
)
"""The ablation at reduced scale: MobileNetV2 of half width at 64 px, from random weights, with
64 labelled and, in the semi-supervised rows, 32 unlabelled crops in a step."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table.

    `config` is that of its first run; the others have the following seeds. The reference differs
    from it in one thing; the first row has none.
    """

    config: TrainingConfig
    num_seeds: int = 1
    reference: str | None = PLAIN


@dataclass(frozen=True, slots=True)
class Run:
    """One training of a row."""

    row: str
    config: TrainingConfig

    @property
    def name(self) -> str:
        """Name of the run's folder."""
        return f"{self.row}-seed{self.config.seed}"


def ablation_rows(base: TrainingConfig) -> dict[str, Row]:
    """All rows by name, in the order of the table.

    Args:
        base: the semi-supervised training with a weight for each of `CONSTRAINTS`. Attention,
            fusion and constraints are those of the row; supervised rows see the same labelled
            samples in each step and no others.

    Raises:
        ConfigurationError: rows would be measured at another crop size than that of their last
            steps, or a row would be like another because `base` lacks what it is about.
    """
    size = base.network().input_size
    if base.stages[-1].input_size != size:
        raise ConfigurationError(
            f"stages: the last crops must have the {size} px of the preset {base.preset!r}, "
            "at which rows are measured"
        )
    weights = base.unlabelled_weights
    absent = [f"unlabelled_weights.{name}" for name in CONSTRAINTS if not getattr(weights, name)]
    absent += [] if base.num_unlabelled else ["unlabelled"]
    if absent:
        raise ConfigurationError(f"{absent[0]}: must be positive, or a row is like another")
    free = replace(base, unlabelled_weights=replace(weights, **dict.fromkeys(CONSTRAINTS, 0.0)))
    rows: dict[str, Row] = {}
    for name, (attention, fusion) in ARCHITECTURES.items():
        config = replace(supervised(free), attention=attention, fusion=fusion)
        rows[f"{name}-supervised"] = Row(config)
    for name, (attention, fusion) in ARCHITECTURES.items():
        config = replace(free, attention=attention, fusion=fusion)
        rows[f"{name}-semi"] = Row(config, reference=f"{name}-supervised")
    full = rows[FULL].config
    for name in CONSTRAINTS:
        one = replace(full.unlabelled_weights, **{name: getattr(weights, name)})
        rows[f"{FULL}-{name}"] = Row(replace(full, unlabelled_weights=one), reference=FULL)
    return {name: _seeded(name, row) for name, row in rows.items()}


def supervised(config: TrainingConfig) -> TrainingConfig:
    """The same labelled samples in each step, without unlabelled ones and without rendering."""
    return replace(config, batch_size=config.num_labelled, unlabelled=0.0, labelled_rendered=0.0)


def chosen_runs(rows: Mapping[str, Row], names: Sequence[str] = ()) -> list[Run]:
    """The runs of the named rows, or of all; first seeds first, so that a table comes early.

    Raises:
        UsageError: there is no such row.
    """
    for name in names:
        if name not in rows:
            raise UsageError(f"--rows: {name!r} is none of {', '.join(rows)}")
    return [
        Run(name, replace(row.config, seed=row.config.seed + seed))
        for seed in range(NUM_SEEDS)
        for name, row in rows.items()
        if seed < row.num_seeds and (not names or name in names)
    ]


def _seeded(name: str, row: Row) -> Row:
    return replace(
        row,
        num_seeds=NUM_SEEDS if name in (PLAIN, FULL) else 1,
        reference=None if name == PLAIN else row.reference,
    )
