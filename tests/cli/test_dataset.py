import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlanet import datasets
from mlanet.cli import main
from mlanet.datasets import FaceCrops, Shards


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture
def crops(tmp_path):
    """Three labelled crops; the picture of one is cut off, a label of another is not finite."""
    folder = tmp_path / "crops"
    folder.mkdir()
    for k in range(3):
        Image.new("RGB", (24, 24), (80 * k, 3, 3)).save(folder / f"{k}.png")
    cut = folder / "1.png"
    cut.write_bytes(cut.read_bytes()[:50])
    with tarfile.open(folder / "images.tar", "w") as archive:
        for k in range(3):
            archive.add(folder / f"{k}.png", f"{k}.png")
            (folder / f"{k}.png").unlink()
    points = np.ones((3, 68, 2), np.float32)
    points[2, 5] = np.nan
    np.savez(folder / "labels.npz", name=np.array(["0.png", "1.png", "2.png"]), pts68_px=points)
    return folder


def test_check_counts_and_names_broken_samples(crops, capsys):
    assert run("dataset", "check", "--data", crops) == 1
    out, err = capsys.readouterr()
    assert "FaceCrops, 1 samples can be read" in out
    assert "landmarks_px 1, rotation 0" in out
    lines = err.splitlines()
    assert lines[0] == "2 broken samples skipped"
    assert "2.png: 'pts68_px' is not finite" in lines[1]
    assert "1.png" in lines[2]


def test_shards_are_written_and_pass_the_check(crops, tmp_path, capsys):
    out = tmp_path / "shards"
    assert run("dataset", "shards", "--data", crops, "--out", out) == 0
    assert "1 samples, 2 left out" in capsys.readouterr().out
    assert run("dataset", "check", "--data", out) == 0
    assert "Shards, 1 samples" in capsys.readouterr().out
    assert Shards(out)[0].name == "0.png"


def test_photos_are_looked_for_faces(tmp_path, capsys):
    Image.new("RGB", (64, 64)).save(tmp_path / "black.png")
    cache = tmp_path / "elsewhere"
    assert run("dataset", "check", "--data", tmp_path, "--cache", cache) == 1
    assert "no face of 40 pixels in 1 photos" in capsys.readouterr().err
    assert [path.name for path in cache.iterdir()] == ["detections.json"]


def test_shards_of_another_size_or_folder_are_not_mixed(crops, tmp_path, capsys, monkeypatch):
    class Photos(FaceCrops):
        """Crops of a size."""

        def __init__(self, root, *, size, **_):
            super().__init__(root)
            self.size, self.margin = size, 1.25

    monkeypatch.setattr(datasets, "PhotoFolder", Photos)
    command = ("dataset", "shards", "--layout", "photos", "--out", tmp_path / "out", "--data")
    assert run(*command, crops, "--size", 32) == 0
    assert run(*command, crops, "--size", 32) == 0
    assert run(*command, crops, "--size", 48) == 1
    assert "other settings" in capsys.readouterr().err
    assert run(*command, crops.rename(tmp_path / "elsewhere"), "--size", 32) == 1
    assert "other settings" in capsys.readouterr().err


def test_wrong_usage(tmp_path, capsys):
    assert run("dataset", "check", "--data", tmp_path, "--size", 3) == 2
    assert run("dataset", "shards", "--data", tmp_path, "--out", Path("x"), "--per-shard", 0) == 2
    assert run("dataset", "check", "--data", tmp_path / "absent") == 1
    assert "no such folder or tar file" in capsys.readouterr().err
