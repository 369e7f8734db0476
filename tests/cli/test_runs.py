"""Runs beside each other and runs that are killed: nothing lost, nothing half, nothing foreign."""

import json
import random
import subprocess
import sys
import time

import numpy as np
import pytest
import trimesh
from PIL import Image

from mlanet.assets import verified_path
from mlanet.files import MANIFEST, read_manifest

FILES = {
    "overlay.png",
    "view.html",
    *(f"face_00.{kind}" for kind in ("glb", "obj", "mtl", "png", "json")),
}
COMMAND = [sys.executable, "-m", "mlanet", "reconstruct", "--formats", "glb,obj,json"]


@pytest.fixture(scope="module")
def face():
    with Image.open(verified_path("example-image")) as picture:
        return picture.convert("RGB").crop((120, 0, 330, 220))


def photos(face, folder, count, name):
    paths = []
    for k in range(count):
        path = folder / name.format(k)
        path.parent.mkdir(parents=True, exist_ok=True)
        face.rotate(k).save(path)
        paths.append(path)
    return paths


def check_whole(folder, path):
    """All files that a result of one face has, readable, of this photo and no other."""
    manifest = read_manifest(folder)
    assert manifest is not None
    assert manifest.origin.path == str(path)
    listed = {entry.name for entry in folder.iterdir()} - {MANIFEST, "mine.txt"}
    assert manifest.names == listed
    assert listed == FILES
    assert all(manifest.owns(folder / name) for name in listed)
    json.loads((folder / "face_00.json").read_text())
    assert "Wolf3D_Head" in trimesh.load(folder / "face_00.glb").geometry
    with Image.open(path) as given, Image.open(folder / "overlay.png") as drawn:
        np.testing.assert_array_equal(np.asarray(given)[:3], np.asarray(drawn)[:3])


def test_photos_of_one_name_by_processes_at_once(face, tmp_path):
    paths = photos(face, tmp_path, 3, "{}/img.png")
    out = tmp_path / "out"
    processes = [
        subprocess.Popen([*COMMAND, str(path), "--threads", "1", "--out", str(out)])
        for path in paths
    ]
    assert [process.wait(timeout=300) for process in processes] == [0, 0, 0]
    assert {entry.name for entry in out.iterdir()} == {"img", "img-2", "img-3"}
    found = {}
    for folder in out.iterdir():
        manifest = read_manifest(folder)
        assert manifest is not None
        found[manifest.origin.path] = folder
    for path in paths:
        check_whole(found[str(path)], path)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_killed_runs_lose_nothing(face, tmp_path):
    paths = photos(face, tmp_path / "in", 6, "{}.png")
    contents = [path.read_bytes() for path in paths]
    out = tmp_path / "out"
    (out / "3").mkdir(parents=True)
    (out / "3" / "mine.txt").write_text("mine")
    (out / "4").write_text("mine, too")
    command = [*COMMAND, str(tmp_path / "in"), "--threads", "1", "--out", str(out)]
    dice = random.Random(5)
    for _ in range(4):
        known = {folder.name for folder in out.iterdir() if read_manifest(folder) is not None}
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        for _ in range(dice.randrange(1, 6)):
            process.stdout.readline()
        time.sleep(dice.uniform(0.0, 0.3))
        process.kill()
        process.communicate()
        for folder in out.iterdir():
            manifest = read_manifest(folder)
            if folder.name.startswith(".") or manifest is None:
                continue
            known.discard(folder.name)
            for name in (entry.name for entry in folder.iterdir() if entry.name != MANIFEST):
                assert name.startswith(".") or manifest.owns(folder / name)
        assert known == set()
    assert subprocess.run(command, check=False).returncode == 0
    expected = {"0": 0, "1": 1, "2": 2, "3-2": 3, "4-2": 4, "5": 5}
    assert {entry.name for entry in out.iterdir()} == {*expected, "3", "4"}
    for name, number in expected.items():
        check_whole(out / name, paths[number])
    assert (out / "3" / "mine.txt").read_text() == "mine"
    assert (out / "4").read_text() == "mine, too"
    assert [path.read_bytes() for path in paths] == contents
