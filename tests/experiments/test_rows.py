from dataclasses import asdict, replace

import pytest

from mlanet.errors import ConfigurationError, UsageError
from mlanet.experiments import FULL, PLAIN, REDUCED, ablation_rows, chosen_runs
from mlanet.experiments.rows import ARCHITECTURES, MIN_SAMPLES, NUM_SEEDS
from mlanet.training import Stage

ROWS = ablation_rows(REDUCED)


def test_supervised_rows_differ_in_the_network_alone():
    for name, (attention, fusion) in ARCHITECTURES.items():
        config = ROWS[f"{name}-supervised"].config
        assert replace(config, attention=None, fusion=None) == REDUCED
        network = config.network()
        assert (network.attention, network.fusion) == (attention, fusion)


def test_all_rows_differ_and_see_enough():
    configs = [row.config for row in ROWS.values()]
    assert len({str(asdict(config)) for config in configs}) == len(ROWS)
    assert all(config.steps * config.batch_size >= MIN_SAMPLES for config in configs)


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
