import json

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from mlanet.assets import verified_path
from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation.reporting import Report
from mlanet.evaluation.submissions.realy import (
    SMOOTHING,
    keypoint_entries,
    model_keypoints,
    read_keypoints,
    thin_plate_spline,
)
from mlanet.evaluation.submissions.submission import COLUMNS
from mlanet.export import write_obj
from mlanet.extras import install_command
from mlanet.geometry import Mesh, SurfaceIndex
from mlanet.image import read_image, write_image
from mlanet.morphable.readers.wavefront import read_obj


@pytest.fixture(scope="module")
def extra(model):
    """17 points on the mean face, between landmarks."""
    own = np.asarray(model.landmarks.mean, dtype=float)
    pairs = np.array([[31, 48], [35, 54], [27, 39], [27, 42], [36, 48], [45, 54], [30, 33]])
    pairs = np.concatenate(
        [pairs, 1 + pairs[:5], [[21, 22], [8, 57], [39, 31], [42, 35], [19, 37]]]
    )
    index = SurfaceIndex(model.subdivide(model.shape.mean), model.topology)
    return index.query(own[pairs].mean(axis=1)).points


@pytest.fixture
def reference(model, extra, tmp_path, with_scipy):
    """A template of another head, scaled and turned, and its 85 keypoints."""
    rng = np.random.default_rng(3)
    identity = (0.6 * rng.normal(size=model.layout.identity)).astype(np.float32)
    vertices = model.vertices(identity, np.zeros(model.layout.expression, np.float32))
    index = SurfaceIndex(model.subdivide(model.shape.mean), model.topology)
    own = np.asarray(model.landmarks.mean, dtype=float)
    places = index.query(np.concatenate([own, extra]))
    path = tmp_path / "HIFI3D.obj"
    write_obj(path, Mesh(0.01 * vertices + 5.0, model.topology.faces))
    path.with_suffix(".txt").write_text(json.dumps(keypoint_entries(places)))
    return path


def test_entries_are_read_back(model, reference):
    points = read_keypoints(reference)
    assert points.shape == (85, 3)
    mesh = read_obj(reference)
    table = json.loads(reference.with_suffix(".txt").read_text())
    face, first, second = table[40]
    corners = mesh.vertices[mesh.faces[face]]
    expected = first * corners[0] + second * corners[1] + (1 - first - second) * corners[2]
    np.testing.assert_allclose(points[40], expected)


def test_keypoints_are_carried_over(model, reference, extra):
    places = model_keypoints(model, read_keypoints(reference))
    own = np.asarray(model.landmarks.mean, dtype=float)
    assert np.linalg.norm(places.points[:68] - own, axis=1).max() < 0.5
    off = np.linalg.norm(places.points[68:] - extra, axis=1)
    assert off.max() < 4.0
    assert np.median(off) < 1.5
    assert places.distance[68:].max() < 4.0


@pytest.mark.parametrize("text", ["", "[]", "[[1, 2, 3]]", json.dumps([[10**9, 0.2, 0.2]] * 85)])
def test_other_keypoints_are_refused(reference, text):
    reference.with_suffix(".txt").write_text(text)
    with pytest.raises(DataError, match=r"HIFI3D\.txt"):
        read_keypoints(reference)


def strictly_read(path):
    """Vertices and triangles of a file whose lines are `v x y z` and `f a b c` and nothing else."""
    rows = {"v": [], "f": []}
    for line in path.read_text().splitlines():
        keyword, *words = line.split(" ")
        if keyword != "#":
            first, second, third = map(float if keyword == "v" else int, words)
            rows[keyword].append([first, second, third])
    return np.array(rows["v"]), np.array(rows["f"])


def test_the_command(model, reference, tmp_path, capsys):
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    write_image(images / "1_2.png", read_image(verified_path("example-image")))
    write_image(images / "2.png", np.full((64, 64, 3), 90, np.uint8))
    arguments = ["--images", images, "--out", out, "--reference", reference]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "realy", *map(str, arguments)])
    assert stop.value.code == 1
    assert "2.png: no face" in capsys.readouterr().err
    assert [path.name for path in (out / "predictions").iterdir()] == ["1_2.obj"]
    template, mesh = read_obj(out / "mlanet.obj"), read_obj(out / "predictions" / "1_2.obj")
    np.testing.assert_array_equal(mesh.faces, template.faces)
    assert mesh.vertices.shape == template.vertices.shape
    for path, read in (("mlanet.obj", template), ("predictions/1_2.obj", mesh)):
        vertices, triangles = strictly_read(out / path)
        np.testing.assert_array_equal(triangles - 1, read.faces)
        np.testing.assert_allclose(vertices, read.vertices)
    assert len(json.loads((out / "mlanet.txt").read_text())) == 85
    report = Report.read(tmp_path / "out.report" / "report.json")
    assert report.table("Images").rows == (("all", 2, 0, 1),)
    assert (tmp_path / "out.report" / "report.html").read_text().count("<img") == len(COLUMNS)


def test_a_damaged_picture_is_named_and_the_others_done(tmp_path, capsys, monkeypatch):
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    out.mkdir()
    monkeypatch.chdir(out)
    (images / "1.png").write_bytes(b"damaged")
    write_image(images / "2.png", read_image(verified_path("example-image")))
    write_image(images / "3.png", np.full((64, 64, 3), 90, np.uint8))
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "realy", "--images", str(images), "--out", "."])
    assert stop.value.code == 1
    damaged, faceless = capsys.readouterr().err.strip().splitlines()
    assert damaged.startswith(f"mlanet: {images / '1.png'}: ")
    assert faceless == "mlanet: 3.png: no face was found"
    assert [path.name for path in (out / "predictions").iterdir()] == ["2.obj"]
    report = Report.read(tmp_path / "out.report" / "report.json")
    table = report.table("Images to look at")
    assert table.values("image") == ["1.png", "3.png"]
    assert table.value("3.png", "error") == "3.png: no face was found"
    assert str(images / "1.png") in table.value("1.png", "error")


@pytest.mark.parametrize("name", ["face.png", "1_b.jpg", "notes.txt"])
def test_other_folders_are_refused(tmp_path, name, capsys):
    (tmp_path / name).write_bytes(b"")
    arguments = ["--images", str(tmp_path), "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "realy", *arguments])
    assert stop.value.code == 1
    assert "mlanet: " in capsys.readouterr().err


def test_the_spline_is_scipys():
    rng = np.random.default_rng(3)
    known, values, asked = (
        rng.normal(size=(68, 3)),
        rng.normal(size=(68, 3)),
        rng.normal(size=(9, 3)),
    )
    expected = RBFInterpolator(known, values, kernel="thin_plate_spline", smoothing=SMOOTHING)
    np.testing.assert_allclose(thin_plate_spline(known, values, asked), expected(asked), atol=1e-9)
    np.testing.assert_allclose(thin_plate_spline(known, values, known), values, atol=1e-4)


def test_keypoints_without_scipy_are_one_clear_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mlanet.cli.common.find_spec", lambda _: None)
    options = ("--images", tmp_path, "--out", tmp_path / "out", "--reference", tmp_path / "HIFI3D")
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "realy", *map(str, options)])
    assert stop.value.code == 2
    expected = f"mlanet: comparing surfaces needs: {install_command('evaluate')}"
    assert capsys.readouterr().err.splitlines() == [expected]
