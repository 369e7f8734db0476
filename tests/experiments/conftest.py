import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.experiments.rows import REDUCED
from mlanet.morphable import load_model

YAWS = (0.0, -40.0, 70.0, 10.0, 50.0, -80.0)
SIDE = 72


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny():
    """The reduced scale in 4 steps of 4 labelled and 2 unlabelled crops."""
    return replace(REDUCED, steps=4, batch_size=6, held_out=4)


@pytest.fixture(scope="session")
def points_px():
    """The mean face's 68 landmarks (68, 3) in a picture of 72 px."""
    mean = load_model().landmarks.mean * [1.0, -1.0, 1.0]
    low, extent = mean.min(axis=0), np.ptp(mean, axis=0).max()
    return (mean - low) / extent * 40.0 + 16.0


@pytest.fixture(scope="session")
def data(points_px, tmp_path_factory):
    """Sixteen pictures of noise with the landmarks of the mean face."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "aflw_train"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"image{k:05d}.png" for k in range(16)]
    with tarfile.open(folder / "images.tar", "w") as archive:
        for name in names:
            file = io.BytesIO()
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(file, "PNG")
            member = tarfile.TarInfo(name)
            member.size = file.tell()
            file.seek(0)
            archive.addfile(member, file)
    shifts = rng.normal(size=(16, 1, 3)) * [2.0, 2.0, 0.0]
    labels = (points_px + shifts).astype(np.float32)
    np.savez(folder / "labels.npz", name=np.array(names), pts68_px=labels)
    return root


@pytest.fixture(scope="session")
def aflw2000(points_px, tmp_path_factory):
    """Six pictures in the layout of AFLW2000-3D, two in each yaw bin; one point differs."""
    folder = tmp_path_factory.mktemp("aflw2000")
    rng = np.random.default_rng(1)
    names = [f"image{k:05d}.jpg" for k in range(len(YAWS))]
    truth = points_px.T.astype(np.float32)
    for name, yaw in zip(names, YAWS, strict=True):
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(folder / name)
        content = {
            "Pose_Para": np.array([[0.0, np.radians(yaw), 0.0, 0.0, 0.0, 0.0, 1.0]]),
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": np.zeros((29, 1)),
            "pt3d_68": truth,
        }
        savemat(folder / name.replace(".jpg", ".mat"), content)
    original = np.stack([truth] * len(YAWS))
    np.savez(
        folder / "annotations.npz",
        name=np.array(names),
        pts68_original=original,
        pts68_reannotated=original[:, :2] + [[[1.0], [0.0]]],
        yaw_deg=np.array(YAWS),
        roi_box=np.array([[6.0, 6.0, 66.0, 66.0]] * len(YAWS)),
    )
    return folder
