"""The script that makes predictions of MediaPipe's face mesh, without MediaPipe."""

import importlib.util
import io
import sys
import tarfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.evaluation import Predictions

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "face_mesh.py"
OFFSET = 0.05
"""Of the labelled points from the mesh's, in the size of the mesh."""


class FaceMesh:
    """Sees two faces, of which the one to the right moves with the picture's brightness."""

    def __init__(self, **_):
        self.points = np.random.default_rng(0).uniform(0.4, 0.6, (468, 3))

    def face(self, brightness):
        return self.points + np.array([0.1 * brightness / 255.0, 0.0, 0.0])

    def process(self, image):
        if not image.any():
            return SimpleNamespace(multi_face_landmarks=None)
        faces = self.points - np.array([0.35, 0.3, 0.0]), self.face(image.max())
        landmarks = [[SimpleNamespace(x=x, y=y, z=z) for x, y, z in face] for face in faces]
        return SimpleNamespace(
            multi_face_landmarks=[SimpleNamespace(landmark=m) for m in landmarks]
        )


@pytest.fixture
def script(monkeypatch):
    mediapipe = ModuleType("mediapipe")
    mediapipe.solutions = SimpleNamespace(face_mesh=SimpleNamespace(FaceMesh=FaceMesh))
    monkeypatch.setitem(sys.modules, "mediapipe", mediapipe)
    spec = importlib.util.spec_from_file_location("face_mesh", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def labelled(script, brightness, side):
    """True points in a picture's pixels: the mesh's own, moved by a constant in its frame."""
    mesh = FaceMesh().face(brightness) * side
    _, size = script.frame(mesh)
    return mesh[list(script.VERTICES), :2] + OFFSET * size


def encoded(brightness, side, form):
    file = io.BytesIO()
    Image.new("RGB", (side, side), (brightness,) * 3).save(file, form, quality=100)
    return file.getvalue()


def test_both_files_hold_what_was_seen(script, tmp_path, monkeypatch, capsys):
    pictures = tmp_path / "AFLW2000"
    pictures.mkdir()
    values = {"image00001": 100, "image00002": 200, "image00003": 0, "image00004": 40}
    for name, brightness in values.items():
        (pictures / f"{name}.jpg").write_bytes(encoded(brightness, 100, "JPEG"))
        truth = labelled(script, brightness, 100).T
        savemat(pictures / f"{name}.mat", {"pt3d_68": np.concatenate([truth, truth[:1]])})
    crops = tmp_path / "aflw_train"
    crops.mkdir()
    names, side = [f"image{k:05d}.webp" for k in range(8)], 60
    with tarfile.open(crops / "images-00.tar", "w") as archive:
        for k, name in enumerate(names):
            content = encoded(20 + 25 * k, side, "WEBP")
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    whole = 2 * side  # of the crop with its border, in its own pixels
    points = [labelled(script, 20 + 25 * k, whole) - side / 2 for k in range(8)]
    np.savez(crops / "labels.npz", name=np.array(names), pts68_px=np.stack(points))
    (tmp_path / "names.txt").write_text("image00001.jpg\nimage00002.jpg\nimage00003.jpg\n")

    words = ["--data", pictures, "--learn", crops, "--out", tmp_path / "mesh", "--every", 1]
    words += ["--only", tmp_path / "names.txt"]
    monkeypatch.setattr(sys, "argv", ["face_mesh.py", *map(str, words)])
    script.main()
    printed = capsys.readouterr().out
    assert "learnt from 8 of 8 faces" in printed
    assert "3 pictures, 1 missed" in printed
    plain, learnt = (Predictions.load(tmp_path / f"{n}.npz") for n in ("mesh", "mesh-learnt"))
    assert plain.names == learnt.names == ("image00001.jpg", "image00002.jpg", "image00003.jpg")
    assert plain.face("image00003.jpg") is None
    for name in plain.names[:2]:
        truth = labelled(script, values[name[:10]], 100)
        np.testing.assert_allclose(learnt.face(name).landmarks_px[:, :2], truth, atol=0.05)
        assert np.abs(plain.face(name).landmarks_px[:, :2] - truth).min() > 0.5


def test_a_face_elsewhere_is_missed(script):
    face = FaceMesh().points * 100
    there = face[list(script.VERTICES), :2]
    assert script.chosen([face + 200, face], there) is face
    assert script.chosen([face + 200], there) is None
    assert script.chosen([], there) is None
    assert len(set(script.VERTICES)) == 68
