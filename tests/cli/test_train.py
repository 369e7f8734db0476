"""`mlanet train` and `mlanet export` where they need no training: usage, plans, errors."""

import json
from dataclasses import asdict

import pytest

pytest.importorskip("torch", reason="needs the extra train")

from mlanet.cli import main
from mlanet.cli.train import resolve
from mlanet.errors import ConfigurationError
from mlanet.extras import install_command
from mlanet.training import TrainingConfig
from mlanet.training.config import BATCHES


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def error_of(capsys):
    text = capsys.readouterr().err.strip()
    assert "\n" not in text
    return text


def no_changes():
    return {"preset": None, "steps": None, "batch_size": None, "learning_rate": None, "seed": None}


def test_options_change_the_default(tmp_path):
    found = resolve(tmp_path, None, no_changes() | {"steps": 70, "seed": 3})
    assert found == TrainingConfig(steps=70, seed=3)


def test_a_file_comes_before_the_runs_configuration(tmp_path):
    (tmp_path / "config.json").write_text(
        json.dumps({"batches": BATCHES, "training": asdict(TrainingConfig(seed=5))})
    )
    assert resolve(tmp_path, None, no_changes()).seed == 5
    given = tmp_path / "given.json"
    given.write_text('{"seed": 6}')
    assert resolve(tmp_path, given, no_changes()).seed == 6
    with pytest.raises(ConfigurationError, match="steps"):
        resolve(tmp_path, given, no_changes() | {"steps": -1})


@pytest.mark.parametrize("verb", [("train", "--data", "d"), ("export", "--checkpoint", "c")])
def test_missing_packages_are_one_line(monkeypatch, capsys, tmp_path, verb):
    monkeypatch.setattr("mlanet.cli.train.find_spec", lambda name: None)
    assert run(*verb, "--out", tmp_path / "out") == 2
    assert error_of(capsys) == f"mlanet: training needs: {install_command('train')}"


def test_missing_data_is_one_line(capsys, tmp_path):
    assert run("train", "--data", tmp_path, "--out", tmp_path / "out", "--dry-run") == 1
    assert "holds none of aflw_train, ytf68" in error_of(capsys)
    assert not (tmp_path / "out").exists()


def test_wrong_threads_are_one_line(capsys, tmp_path):
    assert run("train", "--data", tmp_path, "--out", tmp_path / "out", "--threads", 0) == 2
    assert "threads" in error_of(capsys)


def test_missing_checkpoint_is_one_line(capsys, tmp_path):
    code = run("export", "--checkpoint", tmp_path / "c.safetensors", "--out", tmp_path / "n.onnx")
    assert code == 1
    assert "c.safetensors: there is no such checkpoint" in error_of(capsys)
