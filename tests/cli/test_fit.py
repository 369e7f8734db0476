import json

import numpy as np
import pytest

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.cli import main, run
from mlanet.errors import DataError, UsageError
from mlanet.extras import install_command
from mlanet.image import read_image


def fit(*words):
    return run(["fit", *map(str, words)])


def reconstruct(*words):
    return run(["reconstruct", *map(str, words)])


def test_the_example_is_fitted(torch, tmp_path, capsys):
    assert fit("--out", tmp_path, "--example") == 0
    folder = tmp_path / "astronaut"
    assert (folder / "overlay.png").is_file()
    assert json.loads((folder / "face_00.json").read_text())["schema"] == 1
    before, after = capsys.readouterr().out.split("distance ")[1].split(" -> ")[:2]
    assert float(after) < float(before)


def test_reconstruct_refines_unless_told_not_to_and_without_torch(tmp_path, monkeypatch):
    monkeypatch.setattr("mlanet.cli.common.find_spec", lambda _: None)
    own = Reconstructor.load()(read_image(verified_path("example-image")))[0]
    assert reconstruct("--out", tmp_path, "--example", "--threads", 1, "--no-refine") == 0
    path = tmp_path / "astronaut" / "face_00.json"
    plain = json.loads(path.read_text())
    assert plain["identity"] == pytest.approx(own.coefficients.identity, abs=1e-3)
    assert reconstruct("--out", tmp_path, "--example", "--threads", 1) == 0
    assert json.loads(path.read_text())["identity"] != plain["identity"]


def test_without_torch_there_is_one_clear_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mlanet.cli.common.find_spec", lambda _: None)
    with pytest.raises(SystemExit) as stop:
        main(["fit", "--example", "--out", str(tmp_path)])
    assert stop.value.code == 2
    message = capsys.readouterr().err
    assert message.splitlines() == [f"mlanet: fitting to pixels needs: {install_command('train')}"]


def test_wrong_usage_is_named(tmp_path):
    with pytest.raises(UsageError, match="photo"):
        fit("--out", tmp_path)
    with pytest.raises(UsageError, match="threads"):
        fit("--out", tmp_path, "--example", "--threads", 0)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError, match="not a folder"):
        fit("--out", file, "--example")


def test_bad_points_are_named(torch, tmp_path):
    file = tmp_path / "astronaut.npy"
    np.save(file, np.full((68, 2), -1.0))
    with pytest.raises(DataError, match="0 visible"):
        fit("--out", tmp_path, "--example", "--landmarks", file)
    np.save(file, np.arange(136.0).reshape(68, 2) + 5000.0)
    with pytest.raises(DataError, match="68 of 68 points lie outside"):
        fit("--out", tmp_path, "--example", "--landmarks", tmp_path)
    other = file.rename(tmp_path / "other.npy")
    with pytest.raises(DataError, match="another photo"):
        fit("--out", tmp_path, "--example", "--landmarks", other)
    with pytest.raises(DataError, match=r"holds none of astronaut\.pts"):
        fit("--out", tmp_path, "--example", "--landmarks", tmp_path)
    with pytest.raises(UsageError, match="--jaw"):
        fit("--out", tmp_path, "--example", "--jaw", "contour")


def test_the_face_goes_to_given_points(torch, tmp_path):
    assert reconstruct("--out", tmp_path, "--example", "--threads", 1) == 0
    path = tmp_path / "astronaut" / "face_00.json"
    start = np.array(json.loads(path.read_text())["landmarks_px"])[:, :2]
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    wanted = 1.1 * (start - start.mean(axis=0)) @ turn + start.mean(axis=0) + [14.0, -9.0]
    wanted[36:48:3, 1] += 2.0
    given = np.arange(68) < 60
    np.save(tmp_path / "moved.npy", wanted)
    wanted[~given] = np.nan
    np.save(tmp_path / "astronaut.npy", wanted)
    assert fit("--out", tmp_path, "--example", "--landmarks", tmp_path, "--jaw", "surface") == 0
    found = np.array(json.loads(path.read_text())["landmarks_px"])[:, :2]
    off = np.linalg.norm(found - np.load(tmp_path / "moved.npy"), axis=1)
    before = np.linalg.norm(start - np.load(tmp_path / "moved.npy"), axis=1)
    assert off[given].mean() < 0.06 * before.mean()
    assert off[~given].mean() < 0.12 * before.mean()
