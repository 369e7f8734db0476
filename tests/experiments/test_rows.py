from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from mlanet.coefficients import Coefficients
from mlanet.errors import ConfigurationError, UsageError
from mlanet.experiments.rows import (
    ARCHITECTURES,
    CONSTRAINTS,
    FULL,
    MIN_SAMPLES,
    NUM_SEEDS,
    PLAIN,
    REDUCED,
    ablation_rows,
    chosen_runs,
)
from mlanet.training import SourceConfig, Stage, TrainingConfig

ROWS = ablation_rows(REDUCED)
FEW = [name for name in CONSTRAINTS if getattr(REDUCED.unlabelled_weights, name)]
RECIPES = Path(__file__).resolve().parents[2] / "recipes"


def test_supervised_rows_differ_in_the_network_alone():
    for name, (attention, fusion) in ARCHITECTURES.items():
        config = ROWS[f"{name}-supervised"].config
        assert replace(config, attention="none", fusion="none") == ROWS[PLAIN].config
        network = config.network()
        assert (network.attention, network.fusion) == (attention, fusion)
        assert config.num_unlabelled == 0


def test_semi_supervised_rows_see_the_same_labelled_samples_and_others_beside_them():
    for name in ARCHITECTURES:
        semi, alone = ROWS[f"{name}-semi"].config, ROWS[f"{name}-supervised"].config
        assert semi.network() == alone.network()
        assert semi.num_labelled == alone.num_labelled == alone.batch_size
        assert semi.num_unlabelled > 0
        assert (semi.seed, semi.steps, semi.weights) == (alone.seed, alone.steps, alone.weights)
        assert not any(getattr(semi.unlabelled_weights, term) for term in CONSTRAINTS)


def test_each_constraint_has_a_row_of_its_own():
    full = ROWS[FULL].config
    for term in FEW:
        row = ROWS[f"{FULL}-{term.replace('_', '-')}"]
        weights = row.config.unlabelled_weights
        assert row.reference == FULL
        assert getattr(weights, term) == getattr(REDUCED.unlabelled_weights, term)
        assert [other for other in CONSTRAINTS if getattr(weights, other)] == [term]
        assert replace(row.config, unlabelled_weights=full.unlabelled_weights) == full
    named = replace(REDUCED.unlabelled_weights, identity_features=0.5)
    found = ablation_rows(replace(REDUCED, unlabelled_weights=named))[f"{FULL}-identity-features"]
    assert found.config.unlabelled_weights == replace(
        full.unlabelled_weights, identity_features=0.5
    )


def test_each_of_what_makes_likeness_is_left_out_once():
    known = ("identity", "expression")
    base = replace(
        REDUCED,
        sources=(
            SourceConfig("aflw_train", 0.5, known=known),
            SourceConfig("ytf68", 0.2, known=known),
            SourceConfig("heads", 0.3),
        ),
    )
    rows = ablation_rows(base)
    full = rows[FULL].config
    shapeless = rows[f"{FULL}-without-heads-shape"]
    nobody = rows[f"{FULL}-without-people"]
    dark = rows[f"{FULL}-without-photometric"].config
    assert shapeless.reference == nobody.reference == FULL
    *photos, heads = shapeless.config.sources
    assert (*photos, replace(heads, known=())) == full.sources
    assert set(heads.known) == {item.name for item in fields(Coefficients)} - {"identity"}
    assert nobody.config.sources[1].known == ("expression",)
    assert replace(nobody.config, sources=full.sources) == full
    assert dark.unlabelled_weights.photometric == 0.0
    assert replace(dark, unlabelled_weights=full.unlabelled_weights) == full


def test_all_rows_differ_and_see_enough():
    configs = [row.config for row in ROWS.values()]
    # What REDUCED has of the constraints and of what may be left out.
    assert len(ROWS) == 2 * len(ARCHITECTURES) + len(FEW) + len(("photometric",))
    assert len({str(asdict(config)) for config in configs}) == len(ROWS)
    assert all(config.steps * config.num_labelled >= MIN_SAMPLES for config in configs)


def test_what_the_semi_supervised_rows_are_about_must_be_there():
    with pytest.raises(ConfigurationError, match=r"^unlabelled: must be positive"):
        ablation_rows(replace(REDUCED, batch_size=64, unlabelled=0.0))
    flat = replace(REDUCED.unlabelled_weights, edges=0.0, photometric=0.0)
    rows = ablation_rows(replace(REDUCED, unlabelled_weights=flat))
    assert set(ROWS) - set(rows) == {f"{FULL}-edges", f"{FULL}-without-photometric"}


def test_references_exist():
    assert ROWS[PLAIN].reference is None
    assert all(row.reference in ROWS for name, row in ROWS.items() if name != PLAIN)


def test_plain_and_full_have_three_seeds():
    runs = chosen_runs(ROWS)
    assert len({run.name for run in runs}) == len(runs)
    for name in ROWS:
        seeds = [run.config.seed for run in runs if run.row == name]
        assert seeds == list(range(NUM_SEEDS if name in (PLAIN, FULL) else 1))
    assert [run.config.seed for run in runs] == sorted(run.config.seed for run in runs)


def test_rows_can_be_chosen():
    runs = chosen_runs(ROWS, ("top-down-supervised", PLAIN))
    assert {run.row for run in runs} == {PLAIN, "top-down-supervised"}
    with pytest.raises(UsageError, match="'sideways' is none of plain-supervised"):
        chosen_runs(ROWS, ("sideways",))


def test_rows_are_measured_at_the_size_of_their_last_steps():
    with pytest.raises(ConfigurationError, match="64 px of the preset 'small'"):
        ablation_rows(replace(REDUCED, stages=(Stage(1.0, 96),)))


def test_the_recipe_has_every_row():
    rows = ablation_rows(TrainingConfig.read(RECIPES / "ablation.json"))
    assert len(rows) == 2 * len(ARCHITECTURES) + len(CONSTRAINTS) + 3
