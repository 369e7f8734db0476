import json

import numpy as np
import pytest

from mlanet.cli import main
from mlanet.datasets import FaceCrops
from mlanet.errors import DataError
from mlanet.morphable import load_model
from mlanet.synthesis import ProfiledFaces, RenderedHeads, write_samples, writing


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


class Flawed(RenderedHeads):
    def __getitem__(self, index):
        if index == 1:
            raise DataError("head 1: broken")
        return super().__getitem__(index)


def test_what_was_written_is_read_back(tmp_path):
    made = RenderedHeads(load_model(), size=32, count=3)
    assert write_samples(made, tmp_path, {"seed": 0}).count == 3
    crops = FaceCrops(tmp_path)
    for index in range(3):
        read, sample = crops[index], made[index]
        np.testing.assert_array_equal(read.coefficients, sample.coefficients)
        np.testing.assert_array_equal(read.landmarks_px, sample.landmarks_px)
        np.testing.assert_allclose(read.rotation, sample.rotation, atol=1e-6)
        assert np.abs(read.image.astype(int) - sample.image).mean() < 12


def test_a_stopped_run_goes_on_and_broken_samples_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "SHARD", 2)
    made = Flawed(load_model(), size=32, count=5)
    first = write_samples(made, tmp_path, {"seed": 0})
    assert (first.count, first.skipped) == (4, ("head 1: broken",))
    kept = tmp_path / "images-0000000-0000002.tar"
    (tmp_path / "images-0000002-0000004.tar").unlink()
    before = kept.stat().st_mtime_ns
    assert write_samples(made, tmp_path, {"seed": 0}) == first
    assert kept.stat().st_mtime_ns == before
    assert len(FaceCrops(tmp_path)) == 4
    with pytest.raises(DataError, match="other settings"):
        write_samples(made, tmp_path, {"seed": 1})


def test_commands(tmp_path, capsys):
    heads, turned = tmp_path / "heads", tmp_path / "turned"
    assert run("synthesize", "heads", "--out", heads, "--count", 6, "--size", 48) == 0
    assert "6 faces, 0 left out" in capsys.readouterr().out
    assert json.loads((heads / "dataset.json").read_text())["kind"] == "heads"
    assert run("synthesize", "profiles", "--data", heads, "--out", turned, "--size", 48) == 0
    yaw = np.abs(FaceCrops(turned).angles_deg[:, 1])
    assert (yaw <= 90.01).all()
    assert (yaw >= 19.9).all()
    assert run("synthesize", "heads", "--out", heads, "--count", 0) == 2


def test_a_face_without_room_to_turn_is_an_error(tmp_path):
    made = RenderedHeads(load_model(), size=48, count=3)
    write_samples(made, tmp_path, {})
    turned = ProfiledFaces(made.model, FaceCrops(tmp_path), size=48, step_deg=90.0, steps=1)
    with pytest.raises(DataError, match="cannot be turned"):
        turned[0]


def test_leftovers_go_and_damaged_shards_are_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "SHARD", 2)
    made = RenderedHeads(load_model(), size=32, count=5)
    first = write_samples(made, tmp_path, {})
    (tmp_path / ".images-0000000-0000002.0123abcd.tar").write_bytes(b"half")
    (tmp_path / "parts" / "0000000-0000002.npz").write_bytes(b"PK")
    (tmp_path / "images-0000002-0000004.tar").write_bytes(b"")
    assert write_samples(made, tmp_path, {}) == first
    crops = FaceCrops(tmp_path)
    assert len(crops) == 5
    np.testing.assert_array_equal(crops[2].coefficients, made[2].coefficients)
    assert not list(tmp_path.glob(".images*"))
