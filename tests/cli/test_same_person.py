"""Several photos of one person, from files to a folder."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlanet.assets import verified_path
from mlanet.cli import main

DOCS = Path(__file__).parents[2] / "docs"


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main(["reconstruct", "--same-person", *map(str, arguments)])
    return stop.value.code


@pytest.fixture(scope="module")
def anna(tmp_path_factory):
    """A folder with the example photo, and its mirror image in another light."""
    folder = tmp_path_factory.mktemp("photos") / "anna"
    folder.mkdir()
    with Image.open(verified_path("example-image")) as picture:
        photo = picture.convert("RGB")
    photo.save(folder / "a.png")
    darker = (0.7 * np.asarray(photo)[:, ::-1]).astype(np.uint8)
    Image.fromarray(darker).save(folder / "b.png")
    return folder


@pytest.fixture(scope="module")
def result(anna, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    assert run(anna, "--out", out, "--threads", 1) == 0
    return out / "anna"


def test_one_folder_holds_the_person(result):
    names = {path.name for path in result.iterdir()}
    pictures = {"overlay-a.png", "overlay-b.png"}
    assert names == {"person.glb", "person.json", "view.html", "mlanet-result.json"} | pictures


def test_the_json_follows_its_schema(result):
    jsonschema = pytest.importorskip("jsonschema")
    referencing = pytest.importorskip("referencing")
    schemas = [
        json.loads((DOCS / "reference" / f"{name}.schema.json").read_text())
        for name in ("person", "face")
    ]
    resource = referencing.Resource.from_contents(schemas[1])
    registry = referencing.Registry().with_resource("face.schema.json", resource)
    content = json.loads((result / "person.json").read_text())
    jsonschema.Draft202012Validator(schemas[0], registry=registry).validate(content)
    assert [entry["name"] for entry in content["photos"]] == ["a", "b"]
    for entry in content["photos"]:
        assert entry["face"]["identity"] == content["identity"]


def test_done_photos_are_skipped(anna, result, capsys):
    before = (result / "person.json").stat().st_mtime_ns
    assert run(anna, "--out", result.parent, "--threads", 1) == 0
    assert "already done" in capsys.readouterr().out
    assert (result / "person.json").stat().st_mtime_ns == before


def test_photos_without_the_person_are_named_and_left_out(anna, tmp_path, capsys):
    Image.new("RGB", (200, 200), "green").save(tmp_path / "empty.png")
    words = (anna / "a.png", tmp_path / "empty.png", "--threads", 1)
    assert run(*words, "--out", tmp_path / "out") == 0
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert "empty.png: no face found; left out" in told.err
    content = json.loads((tmp_path / "out" / "person" / "person.json").read_text())
    assert len(content["photos"]) == 1


def test_nobody_is_an_error(tmp_path, capsys):
    Image.new("RGB", (200, 200), "green").save(tmp_path / "empty.png")
    assert run(tmp_path / "empty.png", "--out", tmp_path / "out", "--threads", 1) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_formats_of_one_photo_are_refused(anna, tmp_path, capsys):
    assert run(anna, "--out", tmp_path, "--formats", "glb,pts") == 2
    assert "--same-person" in capsys.readouterr().err
