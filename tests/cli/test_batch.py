import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlanet.assets import verified_path
from mlanet.cli import main
from mlanet.cli.batch import named_files
from mlanet.errors import UsageError
from mlanet.image import read_image

pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra bulk")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    face = Image.fromarray(read_image(verified_path("example-image"))).crop((100, 10, 400, 310))
    for number in range(20):
        Image.fromarray(np.roll(np.asarray(face.resize((120, 120))), number, axis=0)).save(
            folder / f"{number:02d}.png"
        )
    return folder


def run(capsys, *words):
    with pytest.raises(SystemExit) as stop:
        main(["batch", *map(str, words)])
    said = capsys.readouterr()
    return stop.value.code, said.out, said.err


def names(paths):
    return [Path(path).name for path in paths]


def test_words_name_photos_and_shards_each_once(photos, tmp_path):
    (tmp_path / "in" / "below").mkdir(parents=True)
    for name in ("b.jpg", "a.tar", "below/c.parquet", "below/d.PNG", "notes.md", "out.jpg"):
        (tmp_path / "in" / name).write_bytes(b"x")
    inside, out = tmp_path / "in", str(tmp_path / "out")
    found, problems = named_files([str(inside)], out, recursive=False)
    assert (names(found), problems) == (["a.tar", "b.jpg", "out.jpg"], [])
    found, _ = named_files([str(inside), f"{inside}/*.jpg"], out, recursive=True)
    assert names(found) == ["a.tar", "b.jpg", "c.parquet", "d.PNG", "out.jpg"]
    (tmp_path / "list.txt").write_text(
        f"in/b.jpg\n\n  {photos}/03.png\nin/b.jpg\nin/gone [1].jpg\n"
    )
    found, _ = named_files([str(tmp_path / "list.txt")], out, recursive=False)
    assert found == [f"{inside}/b.jpg", f"{photos}/03.png", f"{inside}/gone [1].jpg"]
    found, problems = named_files(
        [f"{inside}/*.gif", str(inside)], f"{inside}/below", recursive=True
    )
    assert names(found) == ["a.tar", "b.jpg", "out.jpg"]
    assert len(problems) == 1
    (tmp_path / "empty.txt").write_text("\n")
    assert named_files([str(tmp_path / "empty.txt")], out, recursive=False)[1]
    with pytest.raises(UsageError, match="standard input"):
        named_files(["-"], out, recursive=False)


def test_a_batch_says_what_came_of_it_and_goes_on(photos, tmp_path, capsys):
    (tmp_path / "broken.tar").write_text("no tar")
    (tmp_path / "text.jpg").write_text("no photo")
    words = [photos, tmp_path / "broken.tar", tmp_path / "text.jpg", "--out", tmp_path / "out"]
    code, out, err = run(capsys, *words, "--processes", "1", "--json")
    assert code == 1
    assert json.loads(out) | {"seconds": 0} == {
        "folder": str(tmp_path / "out"),
        "photos": 21,
        "done_before": 0,
        "failed": 1,
        "faces": 20,
        "without_face": 0,
        "seconds": 0,
    }
    shard, failed = err.splitlines()
    assert "broken.tar" in shard
    assert failed.endswith("failures.jsonl says why")
    assert pq.read_table(tmp_path / "out" / "faces").num_rows == 20
    code, out, _ = run(capsys, *words)
    assert code == 1
    assert out.startswith("21 photos (21 done before): 0 faces")


def test_wrong_usage_is_one_line_and_writes_nothing(photos, tmp_path, capsys):
    for words in (
        ["--processes", "-1"],
        ["--max-faces", "0"],
        ["--min-score", "2"],
        ["--formats", "stl"],
        ["--draw", "x"],
    ):
        code, _, err = run(capsys, photos, "--out", tmp_path / "out", *words)
        assert code == 2
        assert len(err.splitlines()) == 1
    code, _, err = run(capsys, tmp_path / "none", "--out", photos)
    assert code == 2
    assert "holds other files" in err
    assert not (tmp_path / "out").exists()


def test_a_killed_command_leaves_whole_parts_and_goes_on(photos, tmp_path, capsys):
    out, whole = tmp_path / "out", tmp_path / "whole"
    words = [sys.executable, "-m", "mlanet", "batch", str(photos), "--out", str(out)]
    process = subprocess.Popen([*words, "--processes", "1"], stdout=subprocess.DEVNULL)
    while process.poll() is None and not list(out.glob("pictures/part-*")):
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
    process.wait()
    assert run(capsys, photos, "--out", out, "--processes", "1")[0] == 0
    assert run(capsys, photos, "--out", whole, "--processes", "1")[0] == 0
    for path in whole.rglob("*.parquet"):
        assert (out / path.relative_to(whole)).read_bytes() == path.read_bytes()
    assert not list(out.rglob(".mlanet-*"))
