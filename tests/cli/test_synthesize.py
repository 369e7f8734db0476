import json
import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.cli import main
from mlanet.datasets import FaceCrops, write_shards
from mlanet.morphable import load_model
from mlanet.synthesis import HeadsConfig, RenderedHeads, write_samples

SIZE = 48


def run(*arguments):
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return stop.value.code


@pytest.fixture(scope="module")
def heads():
    return RenderedHeads(load_model(), SIZE, count=4, config=HeadsConfig(yaw_deg=15.0))


@pytest.fixture
def crops(heads, tmp_path):
    """Labelled crops: the landmarks of the second are not finite, the fourth has no picture."""
    folder = tmp_path / "crops"
    write_samples(heads, folder, {})
    with np.load(folder / "labels.npz") as labels:
        arrays = dict(labels)
    arrays["pts68_px"][1, 3] = np.nan
    arrays["name"][3] = "absent.webp"
    np.savez(folder / "labels.npz", **arrays)
    return folder


def test_a_broken_background_is_named_and_not_fatal(tmp_path, capsys):
    photos, out = tmp_path / "photos", tmp_path / "heads"
    (photos / "deep").mkdir(parents=True)
    (photos / "bad.jpg").write_text("no picture")
    command = ("synthesize", "heads", "--out", out, "--count", 3, "--size", SIZE)
    assert run(*command, "--backgrounds", photos) == 1
    assert f"{photos}: holds no photos" in capsys.readouterr().err
    Image.new("RGB", (90, 80), (10, 200, 30)).save(photos / "deep" / "green.png")
    assert run(*command, "--backgrounds", photos) == 0
    printed = capsys.readouterr()
    assert "3 faces, 0 left out" in printed.out
    counted, named = printed.err.splitlines()
    assert counted == "1 broken samples skipped"
    assert "bad.jpg: is not a picture" in named
    assert json.loads((out / "dataset.json").read_text())["backgrounds"] == ["deep/green.png"]
    assert run(*command, "--backgrounds", tmp_path / "absent") == 2


def test_heads_turn_no_farther_than_they_may(tmp_path, capsys):
    out = tmp_path / "heads"
    command = ("synthesize", "heads", "--out", out, "--count", 6, "--size", SIZE)
    assert run(*command, "--yaw-deg", 91) == 2
    assert "--yaw-deg must be in 0..90, got 91" in capsys.readouterr().err
    assert run(*command, "--yaw-deg", 12) == 0
    with np.load(out / "labels.npz") as labels:
        yaw = np.abs(labels["angles_deg"][:, 1])
    assert 2.0 < yaw.max() <= 12.01


def test_heads_of_which_no_part_moves_are_at_rest(tmp_path, capsys):
    out, model = tmp_path / "heads", load_model()
    command = ("synthesize", "heads", "--out", out, "--count", 3, "--size", SIZE)
    assert run(*command, "--expression", 1.5) == 2
    assert "--expression must be in 0..1, got 1.5" in capsys.readouterr().err
    assert run(*command, "--expression", 0) == 0
    with np.load(out / "labels.npz") as labels:
        coefficients = labels["coefficients"]
    assert not coefficients[:, model.layout.slices["expression"]].any()


def test_heads_in_a_row_may_be_one_persons(tmp_path, capsys):
    command = ("synthesize", "heads", "--count", 3, "--size", SIZE, "--out")
    assert run(*command, tmp_path / "none", "--pictures", 0) == 2
    assert "--pictures must be positive, got 0" in capsys.readouterr().err
    assert run(*command, tmp_path / "pairs", "--pictures", 2) == 0
    assert run(*command, tmp_path / "alone") == 0
    with np.load(tmp_path / "pairs" / "labels.npz") as labels:
        assert labels["identity"].tolist() == ["0 0", "0 0", "0 1"]
    with np.load(tmp_path / "alone" / "labels.npz") as labels:
        assert "identity" not in labels.files
    written = [
        json.loads((tmp_path / name / "dataset.json").read_text()) for name in ("pairs", "alone")
    ]
    assert written[0]["config"]["pictures"] == 2
    assert "pictures" not in written[1]["config"]  # folders of earlier versions may grow


def test_broken_samples_of_the_data_are_counted_and_named(crops, tmp_path, capsys):
    out = tmp_path / "turned"
    command = ("synthesize", "profiles", "--data", crops, "--out", out, "--size", SIZE)
    assert run(*command, "--steps", 1) == 0
    printed = capsys.readouterr()
    assert "2 faces, 0 left out" in printed.out
    counted, *named = printed.err.splitlines()
    assert counted == "2 broken samples skipped"
    assert "head-0000001.webp: 'pts68_px' is not finite" in named[0]
    assert "absent.webp: no picture of that name" in named[1]
    assert {name[-14:] for name in FaceCrops(out).names.tolist()} == {
        "0000000-1.webp",
        "0000002-1.webp",
    }


def test_what_is_left_out_for_one_reason_is_named_once(crops, tmp_path, capsys):
    command = ("synthesize", "profiles", "--data", crops, "--size", SIZE, "--step-deg", 90)
    assert run(*command, "--out", tmp_path / "none") == 1
    assert "no sample could be made" in capsys.readouterr().err
    with np.load(crops / "labels.npz") as labels:
        arrays = dict(labels)
    arrays["pts68_px"][0] = 3.0
    np.savez(crops / "labels.npz", **arrays)
    turned = tmp_path / "turned"
    assert run(*command[:-2], "--step-deg", 10, "--out", turned) == 0
    printed = capsys.readouterr()
    assert "3 faces, 3 left out" in printed.out
    assert sum("cannot be fitted" in line for line in printed.err.splitlines()) == 1


def test_data_without_landmarks_are_one_clear_line(crops, tmp_path, capsys):
    for folder in ("empty", "photos", "tars"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (64, 64)).save(tmp_path / "photos" / "one.png")
    for tar in crops.glob("*.tar"):
        (tmp_path / "tars" / tar.name).write_bytes(tar.read_bytes())
    out = tmp_path / "out"
    for folder in ("empty", "photos", "tars"):
        assert run("synthesize", "profiles", "--data", tmp_path / folder, "--out", out) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{tmp_path / folder}: holds no labels.npz" in line
    assert run("synthesize", "profiles", "--data", tmp_path / "absent", "--out", out) == 1
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "photos" / ".mlanet").exists()
    assert not out.exists()


def test_faces_of_which_none_can_be_read_are_not_called_unlabelled(tmp_path, capsys):
    np.savez(tmp_path / "0.npz", landmarks_px=np.ones((68, 2)))
    (tmp_path / "0.jpg").write_text("no picture")
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for name in ("0.jpg", "0.npz"):
            archive.add(tmp_path / name, name)
    data, out = tmp_path / "shard.tar", tmp_path / "out"
    assert run("synthesize", "profiles", "--data", data, "--out", out) == 1
    assert "0.jpg: is" in capsys.readouterr().err


def test_shards_and_300w_lp_are_turned(heads, crops, tmp_path, capsys):
    write_shards(FaceCrops(crops), tmp_path / "shards")
    root = tmp_path / "300W_LP"
    (root / "AFW").mkdir(parents=True)
    (root / "landmarks" / "AFW").mkdir(parents=True)
    for index, stem in enumerate(("a", "b", "c", "d")):
        sample = heads[index]
        Image.fromarray(sample.image).save(root / "AFW" / f"{stem}.jpg")
        if stem == "d":
            continue
        pose = np.array([[0.0, 0, 0, 20, 20, 0, 1e-3]])
        content = {"Pose_Para": pose, "Shape_Para": np.ones(199), "Exp_Para": np.ones(29)}
        savemat(root / "AFW" / f"{stem}.mat", content)
        if stem != "c":
            two = dict.fromkeys(("pts_2d", "pts_3d"), sample.landmarks_px[:, :2])
            savemat(root / "landmarks" / "AFW" / f"{stem}_pts.mat", two)
    for data, names in (
        (tmp_path / "shards", ["head-0000000-0000000-1.webp", "head-0000002-0000001-1.webp"]),
        (root, ["AFW-a-0000000-1.webp", "AFW-b-0000001-1.webp"]),
    ):
        out = tmp_path / f"{data.name}-turned"
        command = ("synthesize", "profiles", "--data", data, "--out", out, "--size", SIZE)
        assert run(*command, "--steps", 1) == 0
        assert FaceCrops(out).names.tolist() == names
    errors = capsys.readouterr().err
    assert "left out: AFW/c.jpg: has no landmarks" in errors
    assert "1 broken samples skipped\nskipped: AFW/d.jpg: no .mat file" in errors


@pytest.mark.parametrize(
    ("jaw", "columns", "same_as"),
    [("auto", 2, "contour"), ("auto", 3, "surface"), ("surface", 2, None)],
)
def test_what_the_jaw_is(crops, tmp_path, jaw, columns, same_as):
    with np.load(crops / "labels.npz") as labels:
        arrays = dict(labels)
    arrays["pts68_px"] = arrays["pts68_px"][..., :columns]
    arrays["pts68_px"][:, :17, 0] += 2.0
    np.savez(crops / "labels.npz", **arrays)
    found = {}
    for kind in (jaw, "contour", "surface"):
        out = tmp_path / kind
        command = ("synthesize", "profiles", "--data", crops, "--out", out, "--size", SIZE)
        assert run(*command, "--steps", 1, "--jaw", kind) == 0
        assert json.loads((out / "dataset.json").read_text())["jaw"] == kind
        found[kind] = FaceCrops(out).coefficients
    assert (found["contour"] != found["surface"]).any()
    if same_as:
        np.testing.assert_array_equal(found[jaw], found[same_as])


def test_the_evaluation_set_is_not_turned_without_a_word(heads, tmp_path, capsys):
    folder = tmp_path / "AFLW2000"
    folder.mkdir()
    sample = heads[0]
    Image.fromarray(sample.image).save(folder / "image00002.jpg")
    pose = np.array([[0.0, 0, 0, 20, 20, 0, 1e-3]])
    content = {"Pose_Para": pose, "Shape_Para": np.ones(199), "Exp_Para": np.ones(29)}
    content["pt3d_68"] = sample.landmarks_px.T
    savemat(folder / "image00002.mat", content)
    out = tmp_path / "out"
    assert run("synthesize", "profiles", "--data", folder, "--out", out, "--size", SIZE) == 0
    assert "do not train" in capsys.readouterr().err
