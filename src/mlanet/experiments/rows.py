"""The rows of the ablation: from one configuration to those of all rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError, UsageError
from mlanet.network.config import Attention, Fusion
from mlanet.training import Stage, TrainingConfig
from mlanet.training.config import SourceConfig
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

CONSTRAINTS = ("symmetry", "edges", "flip", "identity_features")
"""Terms of unlabelled samples that each have a row of their own, and no weight in the others."""

HEADS, PEOPLE = "heads", "ytf68"
"""Folders of rendered heads, whose shape is known, and of pictures that show people often, whose
labels have one identity for each person."""

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
        base: the semi-supervised training. Attention, fusion and constraints are those of the row;
            supervised rows see the same labelled samples in each step and no others. Of
            `CONSTRAINTS` and of what `left_out` takes away, those have rows that `base` has.

    Raises:
        ConfigurationError: rows would be measured at another crop size than that of their last
            steps, or `base` has no unlabelled samples.
    """
    size = base.network().input_size
    if base.stages[-1].input_size != size:
        raise ConfigurationError(
            f"stages: the last crops must have the {size} px of the preset {base.preset!r}, "
            "at which rows are measured"
        )
    weights = base.unlabelled_weights
    if not base.num_unlabelled:
        raise ConfigurationError("unlabelled: must be positive, or a row is like another")
    free = replace(base, unlabelled_weights=replace(weights, **dict.fromkeys(CONSTRAINTS, 0.0)))
    rows: dict[str, Row] = {}
    for name, (attention, fusion) in ARCHITECTURES.items():
        config = replace(supervised(free), attention=attention, fusion=fusion)
        rows[f"{name}-supervised"] = Row(config)
    for name, (attention, fusion) in ARCHITECTURES.items():
        config = replace(free, attention=attention, fusion=fusion)
        rows[f"{name}-semi"] = Row(config, reference=f"{name}-supervised")
    full = rows[FULL].config
    for name in (name for name in CONSTRAINTS if getattr(weights, name)):
        one = replace(full.unlabelled_weights, **{name: getattr(weights, name)})
        config = replace(full, unlabelled_weights=one)
        rows[f"{FULL}-{name.replace('_', '-')}"] = Row(config, reference=FULL)
    for name, config in left_out(full).items():
        rows[f"{FULL}-without-{name}"] = Row(config, reference=FULL)
    return {name: _seeded(name, row) for name, row in rows.items()}


def left_out(full: TrainingConfig) -> dict[str, TrainingConfig]:
    """The configuration without one of the things that should make shapes like the people.

    `heads-shape`: what is known of the shape of rendered heads; `people`: identities of pictures
    that show people often; `photometric`: colours of the drawn face and of unlabelled pictures.
    Nothing is left out that is not there.
    """
    dark = replace(full.unlabelled_weights, photometric=0.0)
    changed = {
        "heads-shape": replace(full, sources=_without_identity(full.sources, HEADS)),
        "people": replace(full, sources=_without_identity(full.sources, PEOPLE)),
        "photometric": replace(full, unlabelled_weights=dark),
    }
    return {name: config for name, config in changed.items() if config != full}


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


def _without_identity(sources: tuple[SourceConfig, ...], folder: str) -> tuple[SourceConfig, ...]:
    """Sources of which those of a folder do not teach the identity they know."""
    blocks = tuple(item.name for item in fields(Coefficients) if item.name != "identity")
    return tuple(
        replace(
            source, known=tuple(name for name in blocks if name in source.known or not source.known)
        )
        if source.folder == folder
        else source
        for source in sources
    )


def _seeded(name: str, row: Row) -> Row:
    return replace(
        row,
        num_seeds=NUM_SEEDS if name in (PLAIN, FULL) else 1,
        reference=None if name == PLAIN else row.reference,
    )
