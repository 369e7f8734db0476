import json
from dataclasses import asdict, replace

import pytest

from mlanet.errors import ConfigurationError
from mlanet.network import PRESETS
from mlanet.training import LossWeights, Stage, TrainingConfig


def written(tmp_path, values):
    path = tmp_path / "run.json"
    path.write_text(values if isinstance(values, str) else json.dumps(values))
    return path


def test_file_round_trip(tmp_path):
    config = TrainingConfig(
        steps=7, stages=(Stage(0.25, 32), Stage(0.75, 64)), weights=LossWeights(light=2.0)
    )
    assert TrainingConfig.read(written(tmp_path, asdict(config))) == config


def test_a_runs_own_file_is_a_configuration(tmp_path):
    config = TrainingConfig(seed=5)
    path = written(tmp_path, {"training": asdict(config), "torch": "2"})
    assert TrainingConfig.read(path) == config


def test_fields_that_are_not_given_keep_their_defaults(tmp_path):
    path = written(tmp_path, {"steps": 9, "weights": {"apertures": 1.0}})
    assert TrainingConfig.read(path) == TrainingConfig(steps=9, weights=LossWeights(apertures=1.0))


def test_attention_and_fusion_replace_the_presets():
    assert TrainingConfig().network() == PRESETS["mobile"]
    config = TrainingConfig(preset="small", attention="none", fusion="top-down")
    assert config.network() == replace(PRESETS["small"], attention="none", fusion="top-down")
    assert TrainingConfig(fusion="none").network() == replace(PRESETS["mobile"], fusion="none")


@pytest.mark.parametrize(
    "values",
    [
        "no json",
        "[1, 2]",
        {"step": 3},
        {"steps": 0},
        {"steps": "many"},
        {"steps": 2.5},
        {"seed": -1},
        {"batch_size": 1},
        {"learning_rate": 0.0},
        {"stages": []},
        {"stages": [{"fraction": 0.5, "input_size": 64}]},
        {"stages": [{"fraction": 1.0, "input_size": 100}]},
        {"stages": [{"share": 1.0}]},
        {"weights": {"beauty": 1.0}},
        {"augmentation": 3},
        {"attention": "much"},
        {"fusion": ""},
    ],
)
def test_malformed_files_are_named(tmp_path, values):
    with pytest.raises(ConfigurationError, match=r"run\.json") as caught:
        TrainingConfig.read(written(tmp_path, values))
    assert "\n" not in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match=r"none\.json"):
        TrainingConfig.read(tmp_path / "none.json")


def test_stages_follow_each_other():
    config = TrainingConfig(steps=10, stages=(Stage(0.3, 32), Stage(0.7, 64)))
    assert [config.input_size_at(step) for step in range(10)] == [32] * 3 + [64] * 7
    assert config.input_size_at(10) == 64
