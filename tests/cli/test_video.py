import csv
import errno
import json
import signal
import struct
import warnings
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from mlanet.cli import main
from mlanet.morphable import AlbedoModel, load_model
from mlanet.synthesis.films import RenderedFilm, acted, bumps, random_actor

av = pytest.importorskip("av", reason="needs the extra video")
pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra video")
from mlanet.video.performances import read_performance
from mlanet.video.reading import Film
from mlanet.video.tracker import Tracker
from mlanet.video.writing import FilmWriter

TIME_BASE = Fraction(1, 600)
PTS = [20 * k + (7 if k > 8 else 0) for k in range(16)]


def status_of(*words):
    with pytest.raises(SystemExit) as stop:
        main(["video", *map(str, words)])
    return stop.value.code


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """One person of 16 frames at uneven times, in a picture of odd sides, with sound."""
    model = AlbedoModel.load().on(load_model())
    times_s = np.array(PTS) / 600.0
    zero = 0.0 * times_s
    curves = {"jawOpen": 0.5 + 0.5 * np.sin(9.0 * times_s), "eyeBlinkLeft": bumps(times_s, [0.2])}
    angles = np.stack([zero, 30.0 * times_s, zero], axis=1)
    place = np.stack([zero, zero, 650.0 + zero], axis=1)
    actor = random_actor(
        model, np.random.default_rng(2), acted(model, times_s, curves), angles, place
    )
    film = RenderedFilm(model, (actor,), times_s, size=(239, 319))
    path = tmp_path_factory.mktemp("film") / "talk.mkv"
    write(path, [film[k] for k in range(len(film))])
    return path


def write(path, images):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.options = "yuv444p", {"crf": "18"}
        stream.time_base = stream.codec_context.time_base = TIME_BASE
        sound = container.add_stream("aac", rate=44100)
        for image, pts in zip(images, PTS, strict=False):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = pts, TIME_BASE
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for k in range(20):
            part = np.zeros((1, 1024), np.float32)
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.rate, frame.pts, frame.time_base = 44100, 1024 * k, Fraction(1, 44100)
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))


@pytest.fixture(scope="module")
def result(source, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert status_of(source, "--out", out, "--threads", 1) == 0
    assert [path.name for path in out.iterdir()] == ["talk"]
    return out / "talk"


def test_the_files_are_those_promised(result):
    names = {"face_00.csv", "face_00.glb", "face_00.parquet", "mlanet-result.json", "overlay.mp4"}
    names |= {"view.html"}
    assert {path.name for path in result.iterdir()} == names


def test_the_overlay_has_the_films_times_and_sound(source, result):
    film, given = Film.open(result / "overlay.mp4"), Film.open(source)
    assert film.size == (240, 320)
    assert film.has_audio
    frames, old = list(film.frames()), list(given.frames())
    assert np.allclose([f.time_s for f in frames], [f.time_s for f in old], atol=1e-3)
    changed = np.abs(frames[5].image[:239, :319].astype(int) - old[5].image).max(axis=2) > 40
    assert 0.02 < changed.mean() < 0.3


def weights_of_csv(path):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    times = []
    for row in rows:
        hours, minutes, seconds, ticks = map(float, row["Timecode"].split(":"))
        times.append(3600 * hours + 60 * minutes + seconds + ticks / 60.0)
        assert row["BlendShapeCount"] == "61"
    return np.array(times), rows


def weights_of_glb(path):
    data = path.read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    document, binary = json.loads(data[20 : 20 + size]), data[28 + size :]

    def values(index):
        accessor = document["accessors"][index]
        view = document["bufferViews"][accessor["bufferView"]]
        return np.frombuffer(binary, np.float32, accessor["count"], view.get("byteOffset", 0))

    (animation,) = document["animations"]
    names = [node["name"] for node in document["nodes"]]
    for channel in animation["channels"]:
        target = channel["target"]
        if names[target["node"]] == "Wolf3D_Head" and target["path"] == "weights":
            sampler = animation["samplers"][channel["sampler"]]
            (mesh,) = [m for m in document["meshes"] if m["name"] == "Wolf3D_Head"]
            targets = mesh["extras"]["targetNames"]
            keys = values(sampler["output"]).reshape(-1, len(targets))
            return values(sampler["input"]), dict(zip(targets, keys.T, strict=True))
    raise AssertionError("no weights")


def test_all_files_say_the_same_weights_at_the_same_times(source, result):
    table = pq.read_table(result / "face_00.parquet").to_pydict()
    times, rows = weights_of_csv(result / "face_00.csv")
    glb_times, glb = weights_of_glb(result / "face_00.glb")
    film_times = [frame.time_s for frame in Film.open(source).frames()]
    for found in (times, glb_times, table["time_s"]):
        assert np.abs(np.asarray(found) - film_times).max() < 1e-3
    for name in ("jawOpen", "eyeBlinkLeft", "mouthSmileRight"):
        by_csv = np.array([float(row[name[0].upper() + name[1:]]) for row in rows])
        assert np.allclose(by_csv, np.clip(table[name], 0.0, 1.0), atol=1e-5)
        assert np.allclose(by_csv, glb[name], atol=1e-5)
    head = np.degrees([[float(row[f"Head{a}"]) for a in ("Yaw", "Pitch", "Roll")] for row in rows])
    for column, name in enumerate(("yaw_deg", "pitch_deg", "roll_deg")):
        assert np.allclose(head[:, column], table[name], atol=1e-3)


def test_pandas_reads_the_same_weights_at_the_same_times(result):
    pd = pytest.importorskip("pandas")
    rows, table = pd.read_csv(result / "face_00.csv"), pd.read_parquet(result / "face_00.parquet")
    seconds = rows.Timecode.map(lambda code: float(code.split(":")[2]))
    ticks = rows.Timecode.map(lambda code: float(code.split(":")[3]))
    assert np.abs(seconds + ticks / 60.0 - table.time_s).max() < 1e-3
    assert len(rows.columns) == 63
    for name in ("jawOpen", "eyeBlinkLeft", "tongueOut"):
        assert np.allclose(rows[name[0].upper() + name[1:]], table[name].clip(0.0, 1.0), atol=1e-5)


def test_both_tables_are_read_back_as_the_same_performance(result):
    names = load_model().expression_names
    by_csv, by_parquet = (
        read_performance(result / f"face_00.{suffix}", names) for suffix in ("csv", "parquet")
    )
    assert np.allclose(by_csv.times_s, by_parquet.times_s, atol=1e-3)
    assert np.allclose(by_csv.expression, by_parquet.expression.clip(0.0, 1.0), atol=1e-5)
    assert np.allclose(by_csv.rotation, by_parquet.rotation, atol=1e-4)


def test_the_page_plays_the_avatars_beside_the_film(result):
    page = (result / "view.html").read_text(encoding="utf-8")
    described = json.loads(page.split('id="page">')[1].split("</script>")[0])
    assert described["film"] == {"address": "overlay.mp4", "size_px": [319, 239]}
    assert [head["name"] for head in described["heads"]] == ["face_00"]
    assert "media-src 'self'" in page


def test_a_film_drives_another_avatar(source, result, tmp_path):
    words = [result / "face_00.glb", "--driver", source, "--out", tmp_path, "--size", 128]
    with pytest.raises(SystemExit) as stop:
        main(["animate", *map(str, words), "--threads", "1"])
    assert stop.value.code == 0
    folder = tmp_path / "talk-talk"
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}
    films = [Film.open(folder / f"{name}.mp4") for name in ("front", "turntable", "beside")]
    assert [film.size for film in films] == [(128, 128), (128, 128), (128, 256)]
    assert all(film.has_audio for film in films)
    times = [frame.time_s for frame in films[2].frames()]
    assert np.allclose(times, [frame.time_s for frame in Film.open(source).frames()], atol=1e-3)
    times, weights = weights_of_glb(folder / "avatar.glb")
    table = pq.read_table(result / "face_00.parquet").to_pydict()
    assert np.allclose(times, table["time_s"], atol=1e-3)
    assert np.corrcoef(weights["jawOpen"], table["jawOpen"])[0, 1] > 0.99


def test_the_table_says_what_holds_for_the_whole_film(result):
    file = pq.read_table(result / "face_00.parquet")
    common = json.loads(file.schema.metadata[b"mlanet"])
    assert common["image_size"] == {"width": 319, "height": 239}
    assert len(common["identity"]) == 100
    assert common["film"] == "talk.mkv"
    rows = file.to_pydict()
    assert np.shape(rows["landmarks_px"]) == (16, 204)
    assert np.shape(rows["rotation"]) == (16, 9)
    assert not np.allclose(rows["raw_jawOpen"], rows["jawOpen"], atol=1e-6)


def interrupting(monkeypatch, number):
    """Ctrl-C while frame `number` is tracked."""
    calls, track = [], Tracker.__call__

    def interrupted(self, image, time_s):
        calls.append(time_s)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return track(self, image, time_s)

    monkeypatch.setattr(Tracker, "__call__", interrupted)
    return calls


def test_an_interrupted_run_leaves_files_and_goes_on(source, result, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        calls = interrupting(patch, 9)
        assert status_of(source, "--out", tmp_path, "--threads", 1) == 130
        assert len(calls) == 9
    assert "interrupted at frame 9" in capsys.readouterr().err
    assert len(list(Film.open(tmp_path / "talk" / "overlay.mp4").frames())) == 9
    assert len(weights_of_csv(tmp_path / "talk" / "face_00.csv")[1]) == 9
    with monkeypatch.context() as patch:
        calls = interrupting(patch, 0)
        assert status_of(source, "--out", tmp_path, "--threads", 1) == 0
        assert len(calls) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["talk"]
    for name in ("face_00.csv",):
        assert (tmp_path / "talk" / name).read_text() == (result / name).read_text()


def test_a_full_disk_is_one_line_and_what_was_written_can_be_played(
    source, tmp_path, monkeypatch, capsys
):
    count, written = [], FilmWriter.write

    def full(self, image, pts):
        count.append(pts)
        if len(count) > 10:
            raise OSError(errno.ENOSPC, "No space left on device", "staged.mp4")
        written(self, image, pts)

    monkeypatch.setattr(FilmWriter, "write", full)
    assert status_of(source, "--out", tmp_path, "--threads", 1) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "overlay.mp4: No space left" in line
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(list(Film.open(tmp_path / "talk" / "overlay.mp4").frames())) == 10
    assert (tmp_path / "talk" / "face_00.csv").exists()


def test_without_an_overlay_and_without_smoothing(source, tmp_path):
    words = ("--out", tmp_path, "--threads", 1, "--no-overlay", "--smooth", 0)
    assert status_of(source, *words) == 0
    assert not (tmp_path / "talk" / "overlay.mp4").exists()
    rows = pq.read_table(tmp_path / "talk" / "face_00.parquet").to_pydict()
    assert rows["raw_jawOpen"] == rows["jawOpen"]


def test_bad_input_is_one_line(tmp_path, capsys):
    picture, empty = tmp_path / "picture.mp4", tmp_path / "grey.mkv"
    Image.new("RGB", (32, 32)).save(picture, "jpeg")
    write(empty, [np.full((48, 64, 3), 90, np.uint8)] * 5)
    out = tmp_path / "out"
    for words, status, said in (
        ((picture, "--out", out), 1, "a picture, not a film"),
        ((empty, "--out", out), 1, "no face found"),
        ((tmp_path / "none.mp4", "--out", out), 1, "No such file"),
        ((empty, "--out", out, "--smooth", 2), 2, "--smooth"),
        ((empty, "--out", out, "--min-score", 2), 2, "--min-score"),
        ((empty, "--out", out, "--focal-length-px", 0), 2, "--focal-length-px"),
        ((empty, "--out", out, "--threads", -1), 2, "--threads"),
        ((empty, "--out", picture), 2, "--out"),
    ):
        assert status_of(*words) == status
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    assert not out.exists() or not list(out.iterdir())
