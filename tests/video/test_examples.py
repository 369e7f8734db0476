"""The numbered examples about films, as a reader starts them."""

import csv
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from mlanet.video.livelink import WEIGHTS, timecode

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(monkeypatch, name, *arguments):
    monkeypatch.setattr("sys.argv", [name, *map(str, arguments)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")


def test_faces_of_a_film_are_told_by_frame(talking, tmp_path, monkeypatch, capsys):
    pytest.importorskip("av", reason="needs the extra video")
    from .films import write_film

    path = tmp_path / "film.mp4"
    write_film(path, [talking[k] for k in range(6)])
    run(monkeypatch, "04_faces_of_a_film.py", path)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    found = [re.findall(r"-?\d+\.?\d*", line) for line in lines]
    assert [float(numbers[0]) for numbers in found] == [round(k / 30, 3) for k in range(6)]
    assert {numbers[1] for numbers in found} == {"0"}


def test_an_avatar_plays_a_capture(reconstructor, tmp_path, monkeypatch, capsys):
    from mlanet.assets import verified_path

    reconstructor(verified_path("example-image"))[0].save(tmp_path)
    weights = np.random.default_rng(0).uniform(size=(5, 52)).round(4)
    capture = tmp_path / "capture.csv"
    with capture.open("w", newline="") as file:
        writer = csv.writer(file)
        names = (name[0].upper() + name[1:] for name in WEIGHTS)
        writer.writerow(["Timecode", "BlendShapeCount", *names])
        writer.writerows([timecode(k / 60), 52, *weights[k]] for k in range(5))
    result = tmp_path / "animated.glb"
    run(monkeypatch, "05_animate_an_avatar.py", next(tmp_path.glob("*.glb")), capture, result)
    assert f"5 key frames of {len(WEIGHTS)} weights" in capsys.readouterr().out
    assert result.read_bytes()[:4] == b"glTF"
