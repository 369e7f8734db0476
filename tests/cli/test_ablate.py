"""`mlanet ablate` where it needs no training: usage and errors."""

import pytest

from mlanet.cli import main
from mlanet.extras import install_command


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.parametrize(
    ("more", "code", "message"),
    [
        (("--rows", "sideways"), 2, "--rows: 'sideways' is none of plain-supervised"),
        (("--threads", 0), 2, "threads"),
        (("--config", "none.json"), 1, "none.json: there is no such file"),
        (("--dry-run",), 1, "holds none of aflw_train"),
        ((), 1, "holds none of aflw_train"),
    ],
)
def test_what_is_wrong_is_one_line(torch, capsys, tmp_path, more, code, message):
    assert run("ablate", "--data", tmp_path, "--out", tmp_path / "out", *more) == code
    text = capsys.readouterr().err.strip().splitlines()[-1]
    assert text.startswith("mlanet: ")
    assert message in text
    assert not (tmp_path / "out").exists()


def test_a_table_needs_results_and_a_training_needs_data(torch, capsys, tmp_path):
    assert run("ablate", "--out", tmp_path / "out") == 2
    assert "--data is needed to train" in capsys.readouterr().err
    assert run("ablate", "--out", tmp_path / "out", "--table") == 1
    assert "holds no result of a row" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_missing_package_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("mlanet.cli.common.find_spec", lambda name: None)
    assert run("ablate", "--data", tmp_path, "--out", tmp_path / "out") == 2
    assert install_command("train") in capsys.readouterr().err
