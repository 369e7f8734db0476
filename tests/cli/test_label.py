import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.cli.label import FaceModel, Fitting, Joining, label
from mlanet.errors import DataError, UsageError
from mlanet.fitting import FittingConfig
from mlanet.fitting.labels import constant_rotation, label_faces
from mlanet.geometry import angle_between, matrix_from_6d, viewer_from_camera
from mlanet.labelling import jobs
from mlanet.labelling import parts as parts_module
from mlanet.morphable import load_model, save_model
from mlanet.synthesis import RenderedHeads, write_samples


@pytest.fixture
def folder(tmp_path):
    points = load_model().landmarks.mean * [1.0, -1.0, 1.0] + [200.0, 200.0, 0.0]
    many = np.stack([points, points * 1.1, np.full_like(points, 3.0)]).astype(np.float32)
    np.savez(tmp_path / "labels.npz", name=np.array(["a", "b", "c"]), pts68_px=many)
    return tmp_path


def test_every_face_has_its_row_and_parts_are_cleaned_away(folder, capsys):
    out = folder / "fits.npz"
    assert label(data=folder, out=out, processes=1) == 0
    with np.load(out) as found:
        assert found["name"].tolist() == ["a", "b", "c"]
        assert found["accepted"].tolist() == [True, True, False]
        assert str(found["face_model"]) == load_model().name
    assert "2 of 3 faces accepted" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == ["fits.npz", "labels.npz"]


def test_a_run_goes_on_where_it_was_stopped(folder, monkeypatch):
    monkeypatch.setattr(parts_module, "PART_FACES", 2)

    def stop(*_):
        raise OSError("full")

    out = folder / "fits.npz"
    with monkeypatch.context() as patch:
        patch.setattr(parts_module.Parts, "remove", stop)
        with pytest.raises(OSError, match="full"):
            label(data=folder, out=out, processes=1)
    out.unlink()
    parts = sorted((folder / "fits.npz.parts").iterdir())
    assert len(parts) == 2
    parts[1].unlink()
    made = []
    fit = jobs.label_faces
    monkeypatch.setattr(jobs, "label_faces", lambda *a, **k: made.append(len(a[1])) or fit(*a, **k))
    assert label(data=folder, out=out, processes=1) == 0
    assert made == [1]
    assert out.is_file()


def test_a_damaged_part_is_made_again_and_foreign_files_are_kept(folder, monkeypatch, capsys):
    """The folder of parts may hold parts of other settings, or anything."""
    out, parts = folder / "fits.npz", folder / "fits.npz.parts"
    with monkeypatch.context() as patch:
        patch.setattr(parts_module.Parts, "remove", lambda _: None)
        label(data=folder, out=out, processes=1)
    out.unlink()
    (part,) = parts.iterdir()
    part.write_bytes(part.read_bytes()[:300])
    (parts / "notes.txt").write_text("of the user's")
    (parts / f".{part.stem}.0123abcd.npz").write_bytes(b"of a process that was killed")
    assert label(data=folder, out=out, processes=1) == 0
    assert f"{part}: damaged" in capsys.readouterr().err
    assert [path.name for path in parts.iterdir()] == ["notes.txt"]
    with np.load(out) as found:
        assert found["accepted"].tolist() == [True, True, False]


def part_names(folder, monkeypatch, **options):
    """Names of the parts of a run: they tell what decides the labels."""
    parts = folder / "kept.npz.parts"
    with monkeypatch.context() as patch:
        patch.setattr(parts_module.Parts, "remove", lambda _: None)
        label(data=folder, out=folder / "kept.npz", processes=1, **options)
    names = {path.name for path in parts.iterdir()}
    shutil.rmtree(parts)
    return names


def test_parts_of_other_settings_are_not_mixed_in(folder, monkeypatch):
    half_model(folder / "half.npz")
    options = [{}, {"face_model": FaceModel(model=folder / "half.npz")}]
    changes = [{"max_residual": 2.0}, {"depth_weight": 0.1}, {"jaw": "contour"}]
    options += [{"fitting": Fitting(**change)} for change in changes]
    names = [part_names(folder, monkeypatch, **given) for given in options]
    monkeypatch.setattr(parts_module, "PART_FACES", 2)
    names.append(part_names(folder, monkeypatch))
    assert len(set.union(*names)) == sum(map(len, names)) == 7
    assert part_names(folder, monkeypatch) == names[-1]


@pytest.mark.parametrize(
    ("jaw", "columns", "weight"),
    [("auto", 2, 0.05), ("auto", 3, 1.0), ("contour", 3, 0.05), ("surface", 2, 1.0)],
)
def test_what_the_jaw_is(folder, jaw, columns, weight):
    with np.load(folder / "labels.npz") as labels:
        names, points = labels["name"][:1], labels["pts68_px"][:1, :, :columns]
    points[:, :5, 0] -= 20.0
    np.savez(folder / "labels.npz", name=names, pts68_px=points)
    assert label(data=folder, out=folder / "fits.npz", processes=1, fitting=Fitting(jaw=jaw)) == 0
    expected = label_faces(load_model(), points, jaw_weight=weight)
    with np.load(folder / "fits.npz") as found:
        assert found["jaw_weight"] == weight
        np.testing.assert_array_equal(found["residual_percent"], expected.residual_percent)


def test_depth_counts_as_little_as_it_is_told_to(folder):
    with np.load(folder / "labels.npz") as labels:
        names, points = labels["name"][:1], labels["pts68_px"][:1].copy()
    points[..., 2] *= 1.5
    np.savez(folder / "labels.npz", name=names, pts68_px=points)
    assert (
        label(data=folder, out=folder / "fits.npz", processes=1, fitting=Fitting(depth_weight=0.01))
        == 0
    )
    expected = label_faces(load_model(), points, FittingConfig(depth_weight=0.01))
    trusting = label_faces(load_model(), points)
    with np.load(folder / "fits.npz") as found:
        assert found["depth_weight"] == 0.01
        np.testing.assert_array_equal(found["identity"], expected.identity)
        assert np.abs(found["identity"] - trusting.identity).max() > 0.1


def test_the_data_sets_own_rotations_can_be_kept(folder):
    with np.load(folder / "labels.npz") as arrays:
        columns = dict(arrays)
    c, s = np.cos(0.3), np.sin(0.3)
    turned = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    with pytest.raises(DataError, match="rotation of every face"):
        label(
            data=folder, out=folder / "none.npz", processes=1, fitting=Fitting(given_rotation=True)
        )
    np.savez(folder / "labels.npz", **columns, rotation=np.stack([np.eye(3), turned, np.eye(3)]))
    found = {}
    for given in (False, True):
        out = folder / f"{given}.npz"
        assert label(data=folder, out=out, processes=1, fitting=Fitting(given_rotation=given)) == 0
        with np.load(out) as arrays:
            found[given] = matrix_from_6d(arrays["rotation"].astype(np.float64))
    # The heads face the camera; half of the turn becomes the constant, in a camera's axes.
    given = viewer_from_camera(np.stack([np.eye(3), turned]))
    constant = constant_rotation(given, found[False][:2])
    np.testing.assert_allclose(found[True][:2], given @ constant, atol=1e-5)
    assert angle_between(found[True][0], found[False][0]) < 0.2
    assert angle_between(found[False][0], found[False][1]) < 0.02


def test_a_face_whose_given_rotation_is_none_is_rejected(folder, capsys):
    with np.load(folder / "labels.npz") as arrays:
        columns = dict(arrays)
    rotation = np.stack([np.eye(3), np.full((3, 3), np.nan), np.eye(3)])
    np.savez(folder / "labels.npz", **columns, rotation=rotation)
    out = folder / "fits.npz"
    assert label(data=folder, out=out, processes=1, fitting=Fitting(given_rotation=True)) == 0
    assert "1 of 3 faces accepted" in capsys.readouterr().out
    with np.load(out) as arrays:
        assert np.isfinite(arrays["rotation"]).all()


def test_wrong_usage_is_named(tmp_path):
    with pytest.raises(UsageError, match="depth-weight"):
        label(data=tmp_path, out=tmp_path / "fits.npz", fitting=Fitting(depth_weight=2.0))
    with pytest.raises(UsageError, match="npz"):
        label(data=tmp_path, out=tmp_path / "fits.txt")
    with pytest.raises(UsageError, match="network shipped"):
        label(data=tmp_path, out=tmp_path / "fits.npz", joining=Joining(teacher=tmp_path))
    joining = Joining(network="shipped", offsets_of=tmp_path)
    with pytest.raises(UsageError, match="goes with --teacher"):
        label(data=tmp_path, out=tmp_path / "fits.npz", joining=joining)
    with pytest.raises(UsageError, match="processes"):
        label(data=tmp_path, out=tmp_path / "fits.npz", processes=-1)


def test_faces_that_cannot_be_fitted_are_rejected(folder, capsys):
    with np.load(folder / "labels.npz") as labels:
        points = np.concatenate([labels["pts68_px"]] * 2)
    points[0, 9] = np.nan
    points[3] = np.arange(68)[:, None] * [1.0, 2.0, 3.0]  # on a line
    points[4] *= 1e9  # only its size is unusual
    np.savez(folder / "labels.npz", name=np.array(list("abcdef")), pts68_px=points)
    assert label(data=folder, out=folder / "fits.npz", processes=1) == 0
    with np.load(folder / "fits.npz") as found:
        assert found["accepted"].tolist() == [False, True, False, False, True, False]
        assert np.isinf(found["residual_percent"][[0, 2, 5]]).all()
        assert found["max_residual_percent"] == 1.5
    assert "2 of 6 faces accepted, 3 had nothing to fit" in capsys.readouterr().out


def half_model(path):
    """Half of the identity modes: another model."""
    embedded = load_model()
    kept = embedded.layout.identity // 2
    shape = embedded.shape
    other = replace(
        embedded,
        name="half",
        shape=replace(shape, identity=shape.identity[..., :kept]),
        identity_names=embedded.identity_names[:kept],
        identity_mirror=embedded.identity_mirror[:kept],
    )
    save_model(other, path)
    return kept


def test_a_model_of_the_user_s_is_fitted(folder):
    kept = half_model(folder / "half.npz")
    out = folder / "fits.npz"
    parts = folder / "fits.npz.parts"
    parts.mkdir()
    (parts / "0123456789ab-00000000.npz").write_bytes(b"of another model")
    given = FaceModel(model=folder / "half.npz")
    assert label(data=folder, out=out, processes=1, face_model=given) == 0
    with np.load(out) as found:
        assert str(found["face_model"]) == "half"
        assert found["identity"].shape == (3, kept)
        assert found["accepted"].tolist() == [True, True, False]


def test_other_layouts_whose_samples_have_landmarks(folder, tmp_path, capsys):
    root = tmp_path / "300W_LP"
    (root / "AFW").mkdir(parents=True)
    (root / "landmarks" / "AFW").mkdir(parents=True)
    with np.load(folder / "labels.npz") as labels:
        points = labels["pts68_px"]
    for stem, given in (("a", points[0]), ("b", None), ("c", points[1])):
        Image.new("RGB", (40, 40)).save(root / "AFW" / f"{stem}.jpg")
        pose = np.array([[0.0, 0, 0, 20, 20, 0, 1e-3]])
        content = {"Pose_Para": pose, "Shape_Para": np.ones(199), "Exp_Para": np.ones(29)}
        savemat(root / "AFW" / f"{stem}.mat", content)
        if given is not None:
            two = {"pts_2d": given[:, :2], "pts_3d": given[:, :2]}
            savemat(root / "landmarks" / "AFW" / f"{stem}_pts.mat", two)
    out = tmp_path / "fits.npz"
    assert label(data=root, out=out, processes=1) == 0
    with np.load(out) as found:
        assert found["name"].tolist() == ["AFW/a.jpg", "AFW/c.jpg"]
        assert found["accepted"].all()
    assert "AFW/b.jpg: no landmarks" in capsys.readouterr().err


def test_a_network_and_a_teacher_are_joined_with_the_landmarks(tmp_path, capsys):
    """The teacher found nobody: what is left are the labels and the network."""
    crops = tmp_path / "crops"
    write_samples(RenderedHeads(load_model(), size=96, count=2, seed=5), crops, {})
    with np.load(crops / "labels.npz") as labels:
        names = labels["name"]
    np.savez(
        tmp_path / "teacher.npz",
        name=names,
        found=np.zeros(2, bool),
        points=np.zeros((2, 478, 2), np.int16),
        blendshapes=np.zeros((2, 1)),
        index=np.arange(478),
        unit_px=np.array(1.0),
        blendshape_names=np.array(["jawOpen"]),
    )
    out = tmp_path / "fits.npz"
    joining = Joining(network="shipped", teacher=tmp_path / "teacher.npz")
    assert label(data=crops, out=out, joining=joining, processes=1) == 0
    assert "0 faces left out; 0 have expressions seldom seen" in capsys.readouterr().out
    with np.load(out) as found:
        assert found["name"].tolist() == names.tolist()
        assert found["landmarks_px"].shape == (2, 68, 2)
        assert found["used"].all()
        assert not found["telling"].any()
        assert found["teacher_offsets"].shape == (13, 51, 2)
        assert found["max_residual_percent"] == 4.0
    assert not out.with_name("fits.npz.parts").exists()


def test_data_without_landmarks_is_named(tmp_path):
    np.savez(tmp_path / "labels.npz", name=np.zeros(0, "U1"), pts68_px=np.zeros((0, 68, 2)))
    with pytest.raises(DataError, match="no landmarks"):
        label(data=tmp_path, out=tmp_path / "fits.npz")
    np.savez(tmp_path / "labels.npz", name=np.zeros(1, "U1"), pts68_px=np.zeros((1, 68, 4)))
    with pytest.raises(DataError, match="2 or 3"):
        label(data=tmp_path, out=tmp_path / "fits.npz")
    with pytest.raises(DataError, match="no such folder"):
        label(data=tmp_path / "absent", out=tmp_path / "fits.npz")
    assert not (tmp_path / "fits.npz.parts").exists()


RUN = """
import sys
from pathlib import Path
from mlanet.cli.label import label
from mlanet.labelling import parts
parts.PART_FACES = 2
if __name__ == "__main__":
    label(data=Path(sys.argv[1]), out=Path(sys.argv[2]), processes=2)
"""


def alive(group):
    """Processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at /proc")
def test_a_killed_run_leaves_no_process_and_goes_on(folder):
    with np.load(folder / "labels.npz") as labels:
        points = labels["pts68_px"][:1]
    scale = np.linspace(0.5, 2.0, 240, dtype=np.float32)[:, None, None]
    names = np.array([f"f{k}" for k in range(240)])
    np.savez(folder / "labels.npz", name=names, pts68_px=points * scale)
    out, script = folder / "fits.npz", folder / "run.py"
    script.write_text(RUN)
    run = subprocess.Popen([sys.executable, script, folder, out], start_new_session=True)
    parts = folder / "fits.npz.parts"
    deadline = time.monotonic() + 300
    while len(list(parts.glob("[0-9a-f]*.npz"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    deadline = time.monotonic() + 60
    while alive(run.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(run.pid)
    assert not out.exists()
    kept = {path: path.stat().st_mtime_ns for path in parts.glob("[0-9a-f]*.npz")}
    assert 3 <= len(kept) < 120
    done = subprocess.run([sys.executable, script, folder, out], check=True, capture_output=True)
    assert b"240 of 240 faces accepted" in done.stdout
    with np.load(out) as found:
        assert found["name"].tolist() == names.tolist()
        size = found["box_px"][:, 2] - found["box_px"][:, 0]
        np.testing.assert_allclose(size / size[0], scale[:, 0, 0] / scale[0, 0, 0], rtol=1e-5)
    assert not parts.exists()
