import csv
import signal
from concurrent.futures import Future

import numpy as np
import pytest
import trimesh
from PIL import Image

from mlanet.cli import main
from mlanet.cli.animate import called_after
from mlanet.export import write_avatar
from mlanet.files import MANIFEST, Origin
from mlanet.files.manifest import Manifest
from mlanet.morphable import load_model

pytest.importorskip("av", reason="needs the extra video")
pytest.importorskip("pyarrow", reason="needs the extra video")
from mlanet.video.livelink import ANGLES, WEIGHTS, timecode
from mlanet.video.reading import Film
from mlanet.video.stage import Stage

FRAMES = 6


@pytest.fixture(scope="module")
def face(tmp_path_factory):
    path = tmp_path_factory.mktemp("face") / "face_00.glb"
    texture = np.full((8, 8, 3), 180, np.uint8)
    write_avatar(path, load_model(), np.zeros(100), np.zeros(52), texture)
    return path


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    path = tmp_path_factory.mktemp("driver") / "talk.csv"
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        names = [name[0].upper() + name[1:] for name in WEIGHTS]
        writer.writerow(["Timecode", "BlendShapeCount", *names, *ANGLES])
        for k in range(FRAMES):
            writer.writerow([timecode(k / 30.0), 61, *rng.uniform(size=52), *[0.1] * 9])
    return path


def status_of(*words):
    with pytest.raises(SystemExit) as stop:
        main(["animate", *map(str, words), "--size", "128"])
    return stop.value.code


def test_a_terminal_sees_what_is_being_done(face, driver, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes stderr for a terminal
    assert status_of(face, "--driver", driver, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().err
    for step in ("Reading face_00.glb", "Writing avatar.glb", "front.mp4", "turntable.mp4"):
        assert step in shown


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def test_results_are_called_after_their_folders(tmp_path):
    folder = tmp_path / "anna"
    folder.mkdir()
    for name in ("face_00.glb", "face_01.glb", "mine.glb"):
        (folder / name).write_bytes(b"glTF")
    assert called_after(folder / "face_00.glb") == "face_00"  # no result: nothing says whose
    (folder / "mine.glb").unlink()
    Manifest.of_folder(folder, Origin(None, "0" * 64)).write(folder / MANIFEST)
    (folder / "mine.glb").write_bytes(b"glTF")
    assert called_after(folder / "face_00.glb") == "anna"
    assert called_after(folder / "face_01.glb") == "anna-face_01"
    assert called_after(folder / "mine.glb") == "mine"


def test_a_table_drives_an_avatar(face, driver, tmp_path, capsys):
    assert status_of(face, "--driver", driver, "--out", tmp_path) == 0
    folder = tmp_path / "face_00-talk"
    files = {"avatar.glb", "front.mp4", "mlanet-result.json", "turntable.mp4", "view.html"}
    assert names_in(folder) == files
    assert str(folder) in capsys.readouterr().out
    for name in ("front", "turntable"):
        film = Film.open(folder / f"{name}.mp4")
        assert film.size == (128, 128)
        times = [frame.time_s for frame in film.frames()]
        assert np.allclose(times, np.arange(FRAMES) / 30.0, atol=1e-3)


def test_the_same_words_replace_and_others_do_not(face, driver, tmp_path):
    again = tmp_path / "other" / "talk.csv"
    again.parent.mkdir()
    again.write_bytes(driver.read_bytes())
    for film in (driver, driver, again):
        words = [face, "--driver", film, "--out", tmp_path / "out", "--no-films"]
        assert status_of(*words) == 0
    assert names_in(tmp_path / "out") == {"face_00-talk", "face_00-talk-2"}
    assert names_in(tmp_path / "out" / "face_00-talk") == {
        "avatar.glb",
        "mlanet-result.json",
        "view.html",
    }


def test_ctrl_c_leaves_films_that_play(face, driver, tmp_path, monkeypatch, capsys):
    drawn = []
    draw = Stage.draw

    def drawing(*words):
        drawn.append(None)
        if len(drawn) == 4:
            signal.raise_signal(signal.SIGINT)
        return draw(*words)

    monkeypatch.setattr(Stage, "draw", drawing)
    monkeypatch.setattr("mlanet.video.avatar_films.ThreadPoolExecutor", Inline)
    assert status_of(face, "--driver", driver, "--out", tmp_path) == 130
    folder = tmp_path / "face_00-talk"
    assert names_in(folder) == {"avatar.glb", "front.mp4", "mlanet-result.json", "view.html"}
    assert len(list(Film.open(folder / "front.mp4").frames())) >= 1
    assert "interrupted" in capsys.readouterr().err


class Inline:
    """A pool that works at once, in the thread that asks."""

    def __init__(self, _count):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, item):
        future = Future()
        future.set_result(work(item))
        return future


def test_what_cannot_be_used_is_told_in_a_line(face, driver, tmp_path, capsys):
    box, picture, words = tmp_path / "box.glb", tmp_path / "p.mp4", tmp_path / "words.csv"
    trimesh.creation.box().export(box)
    Image.new("RGB", (32, 32)).save(picture, "PNG")
    words.write_text("time,smile\n0,1\n")
    out = tmp_path / "out"
    cases = [
        ([box, "--driver", driver], 1, "is no avatar of mlanet"),
        ([face, "--driver", words], 1, "not in the layout of Live Link Face"),
        ([face, "--driver", picture], 1, "a picture, not a film"),
        ([face, "--driver", tmp_path / "none.mp4"], 1, "No such file"),
        ([tmp_path / "none.glb", "--driver", driver], 1, "no such file"),
        ([face, "--driver", driver, "--neutral", "9"], 2, "--neutral 9: the driver is not seen"),
        ([face, "--driver", driver, "--person", "1"], 2, "is of one person"),
        ([face, "--driver", picture, "--flip", "yaw"], 2, "--flip is for CSV files"),
        ([face, "--driver", driver, "--smooth", "2"], 2, "--smooth must lie between 0 and 1"),
    ]
    for given, status, text in cases:
        assert status_of(*given, "--out", out) == status, text
        (line,) = capsys.readouterr().err.splitlines()
        assert text in line
    assert not out.exists() or not list(out.iterdir())
