"""`mlanet models`: what it prints, writes and refuses."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from mlanet.assets import asset_records, verified_path
from mlanet.cli import main
from mlanet.geometry import MeshTopology, SurfaceIndex, closest_points_naive
from mlanet.morphable import load_model, save_model

no_data = pytest.mark.skipif("MLANET_DATA" not in os.environ, reason="MLANET_DATA is not set")


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


def error_of(capsys):
    text = capsys.readouterr().err.strip()
    assert "\n" not in text
    return text


@pytest.fixture(scope="module")
def ict():
    return Path(os.environ["MLANET_DATA"]) / "ict_facekit" / "ict_face_light_9409.npz"


def test_list_names_formats_and_where_models_are_obtained(capsys):
    assert run("models", "list") == 0
    text = capsys.readouterr().out
    for word in (
        "embedded",
        "CC0",
        "basel 2009",
        "basel 2017",
        "flame",
        "ict-facekit",
        "gnm",
        "https://",
    ):
        assert word in text


def test_info_of_the_embedded_model(capsys):
    assert run("models", "info", "embedded") == 0
    rows = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    record = asset_records()["open_face"]
    assert rows["licence"] == record.licence
    assert rows["sha256"] == record.sha256
    assert rows["source"] == record.source
    assert f"{load_model().num_base_vertices:,}" in rows["vertices"]
    assert rows["expression"].startswith("52 modes, blend shapes")
    assert rows["landmarks"] == "68 of 68"


def test_verify(capsys, monkeypatch):
    assert run("models", "verify") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(asset_records())
    assert all(line.startswith("ok") for line in lines)
    records = asset_records()
    name = next(iter(records))
    altered = records | {name: replace(records[name], sha256="0" * 64)}
    monkeypatch.setattr("mlanet.assets.asset_records", lambda: altered)
    verified_path.cache_clear()
    assert run("models", "verify") == 1
    assert "the file was altered" in capsys.readouterr().out
    verified_path.cache_clear()


def test_sheet(tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert run("models", "sheet", "embedded", "--out", out) == 0
    with Image.open(out) as picture:
        pixels = np.asarray(picture)
    assert pixels.shape[1] > 1000
    rows = len(pixels) // 242
    assert rows == 7  # mean, identity twice, expressions twice, albedo twice
    for row in range(rows):
        tile = pixels[row * 242 : row * 242 + 220, :220]
        assert (np.abs(tile.astype(int) - 244).max(axis=2) > 20).mean() > 0.15


def test_a_sheet_of_a_model_without_colours_and_blend_shapes(tmp_path, model):
    bare = replace(
        model,
        albedo_mean=np.zeros((0, 3), np.float32),
        albedo_basis=np.zeros((0, 3, 0), np.float32),
        albedo_names=(),
        landmark_faces=np.full(68, -1, np.int32),
        expression_bounded=False,
    )
    save_model(bare, tmp_path / "bare.npz")
    assert run("models", "sheet", tmp_path / "bare.npz", "--out", tmp_path / "s.png") == 0
    with Image.open(tmp_path / "s.png") as picture:
        assert picture.size[1] == 5 * 242


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("info", "none.npz"), 1, "none.npz: there is no such face model"),
        (("sheet", "none.npz", "--out", "a.png"), 1, "none.npz: there is no such face model"),
        (("convert", "none.npz", "--out", "a.txt"), 2, "--out must end in .npz"),
        (("convert", "embedded", "--out", "a.npz"), 2, "needs no conversion"),
        (("convert", "none.npz", "--out", "a.npz"), 1, "none.npz: there is no such face model"),
    ],
)
def test_errors_are_one_line(capsys, tmp_path, monkeypatch, words, status, message):
    monkeypatch.chdir(tmp_path)
    assert run("models", *words) == status
    assert message in error_of(capsys)
    assert not list(tmp_path.iterdir())


def test_a_topology_must_be_a_converted_model(capsys, tmp_path, model):
    save_model(replace(model, name="mine"), tmp_path / "mine.npz")
    options = ("--out", tmp_path / "out", "--topology", tmp_path / "mine.npz")
    assert run("reconstruct", "--example", *options) == 1
    assert "mine has no correspondence to the embedded one" in error_of(capsys)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def converted(ict, tmp_path_factory):
    path = tmp_path_factory.mktemp("ict") / "ict.npz"
    assert run("models", "convert", ict, "--out", path) == 0
    return path


@pytest.mark.data
@no_data
def test_convert_info_and_sheet(converted, tmp_path, capsys):
    assert run("models", "info", converted) == 0
    rows = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert rows["licence"] == "MIT"
    assert rows["format"] == "ict-facekit"
    assert "correspondence" in rows
    assert run("models", "sheet", converted, "--out", tmp_path / "ict.png") == 0


@pytest.mark.data
@no_data
def test_a_converted_models_name_tells_its_source(converted, tmp_path):
    found = load_model(converted)
    assert len(found.provenance.sha256) == 64
    assert found.name == f"ICT-FaceKit light (face) {found.provenance.sha256[:8]}"
    again = tmp_path / "again.npz"
    assert run("models", "convert", converted, "--out", again, "--modes", 3, 0, 0) == 0
    assert load_model(again).name == found.name


@pytest.mark.data
@no_data
def test_convert_with_few_modes(ict, tmp_path, capsys):
    options = ("--out", tmp_path / "few.npz", "--modes", 9, 0, 0)
    assert run("models", "convert", ict, *options) == 0
    layout = load_model(tmp_path / "few.npz").layout
    assert (layout.identity, layout.expression, layout.albedo) == (9, 0, 0)
    capsys.readouterr()
    assert run("models", "convert", ict, "--out", tmp_path / "x.npz", "--modes", 999, 0, 0) == 1
    assert "identity: 999 of the model's 100 modes" in error_of(capsys)


@pytest.mark.data
@no_data
def test_reconstruct_in_its_topology(converted, tmp_path):
    options = ("--out", tmp_path, "--topology", converted, "--formats", "glb,obj,json,pts")
    options += ("--no-hair",)  # the topology has none
    assert run("reconstruct", "--example", *options) == 0
    base = tmp_path / "astronaut" / "face_00.topology"
    model = load_model(converted)
    mesh = trimesh.load(base.with_name(f"{base.name}.obj"), process=False, maintain_order=True)
    assert mesh.faces.shape == model.base_faces.shape
    lines = base.with_name(f"{base.name}.obj").read_text().splitlines()
    vertices = [line.split()[1:] for line in lines if line.startswith("v ")]
    assert len(vertices) == model.num_base_vertices
    ours = trimesh.load(tmp_path / "astronaut" / "face_00.obj", process=False)
    carried = np.array(vertices, float)[model.correspondence.covered]
    topology = MeshTopology(ours.faces, len(ours.vertices))
    far = SurfaceIndex(ours.vertices, topology).query(carried).distance > 0.01
    assert far.sum() < 20  # the index may miss triangles that are long, as on the crown
    exact = closest_points_naive(carried[far], ours.vertices, ours.faces)
    assert (exact.distance < 0.01).all()
    content = json.loads(base.with_name(f"{base.name}.json").read_text())
    assert content["face_model_licence"] == "MIT"
    assert len(content["identity"]) == 100
    weights = json.loads((tmp_path / "astronaut" / "face_00.json").read_text())["expression"]
    assert content["expression"]["jawOpen"] == weights["jawOpen"]
    assert content["expression"]["browInnerUpLeft"] == weights["browInnerUp"]
    assert run("reconstruct", "--example", "--out", tmp_path) == 0
    assert not list(base.parent.glob("*.topology.*"))
