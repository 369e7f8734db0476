"""A folder with everything that the commands of the documentation name, small."""

import io
import tarfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.datasets import REANNOTATED_NAME
from mlanet.image import read_image
from mlanet.morphable import MorphableModel

PICTURES = ("image00002.jpg", "image00004.jpg")


@pytest.fixture(scope="session")
def workspace(tmp_path_factory):
    """The folder in which the blocks run; it serves all pages."""
    folder = tmp_path_factory.mktemp("workspace")
    photo = read_image(verified_path("example-image"))[10:310, 100:400]
    points = np.asarray(Reconstructor.load(threads=1)(photo)[0].landmarks_px)
    for name in ("photo.jpg", "a.jpg", "b.jpg", "holiday/1.jpg", "holiday/more/2.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(folder / name)
    write_points(folder / "photo.pts", points)
    small = np.asarray(Image.fromarray(photo).resize((128, 128)))
    points = points * (128.0 / 300.0)
    write_crops(folder / "DATA" / "aflw_train", [f"{k:04d}.png" for k in range(8)], small, points)
    frames = [f"{name}_{video}{frame}.png" for name in "abc" for video in "01" for frame in "01"]
    write_crops(folder / "DATA" / "ytf68", frames, small, points)
    write_aflw2000(folder / "AFLW2000", small, points)
    np.save(folder / REANNOTATED_NAME, np.stack([points.T[:2]] * len(PICTURES)))
    write_face_model(folder / "FaceXModel")
    if find_spec("torch") is not None:
        train(folder)
    return folder


def train(folder: Path) -> None:
    """Two steps of the run that the pages call `runs/mine`, from random "ImageNet" weights."""
    import timm
    import torch

    from mlanet.cli import main

    backbone = folder / "weights" / "mobilenet_v2-b0353104.pth"
    backbone.parent.mkdir()
    torch.save(timm.create_model("mobilenetv2_100", pretrained=False).state_dict(), backbone)
    words = f"train --data {folder}/DATA --out {folder}/runs/mine --backbone {backbone}"
    with pytest.raises(SystemExit) as stop:
        main([*words.split(), "--steps", "2", "--batch-size", "4"])
    assert stop.value.code == 0


def write_points(path: Path, points) -> None:
    """68 points as 300-W's files have them, which count pixels from one."""
    rows = "\n".join(f"{x + 0.5:.3f} {y + 0.5:.3f}" for x, y in points[:, :2])
    path.write_text(f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n")


def write_crops(folder: Path, names, picture, points) -> None:
    """Crops with labels; what stands before the last `_` of a name is the person."""
    folder.mkdir(parents=True)
    with tarfile.open(folder / "images-00.tar", "w") as archive:
        for shift, name in enumerate(names):
            file = io.BytesIO()
            Image.fromarray(np.roll(picture, shift, axis=1)).save(file, "PNG")
            member = tarfile.TarInfo(name)
            member.size = file.tell()
            file.seek(0)
            archive.addfile(member, file)
    moved = np.stack([points + np.array([shift, 0.0, 0.0]) for shift in range(len(names))])
    people = np.array([name.rpartition("_")[0] or name for name in names])
    np.savez(folder / "labels.npz", name=np.array(names), pts68_px=moved, identity=people)


def write_aflw2000(folder: Path, picture, points) -> None:
    """Two pictures in the data set's layout, one of them said to be turned."""
    folder.mkdir()
    for name, yaw in zip(PICTURES, (0.1, 0.8), strict=True):
        Image.fromarray(picture).save(folder / name, quality=95)
        content = {
            "Pose_Para": np.array([[0.0, yaw, 0.0, 0.0, 0.0, 0.0, 1.0]]),
            "Shape_Para": np.zeros((199, 1)),
            "Exp_Para": np.zeros((29, 1)),
            "pt3d_68": points.T.astype(np.float32),
        }
        savemat(folder / name.replace(".jpg", ".mat"), content)


def write_face_model(path: Path) -> None:
    """A bent grid as a face model of ICT-FaceKit's kind."""
    x, y = np.meshgrid(np.linspace(-80, 80, 33), np.linspace(-110, 80, 41))
    nose = 22 * np.exp(-((x / 12) ** 2) - ((y + 19) / 14) ** 2)
    z = 104 - 60 * (x / 80) ** 2 - 12 * (y / 100) ** 2 + nose
    mean = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(40)[:, None] * 33 + np.arange(32)).reshape(-1, 1)
    marks = np.asarray(MorphableModel.load().landmarks.mean)
    apart = np.linalg.norm(marks[:, None, :2] - mean[None, :, :2], axis=-1)
    with path.open("wb") as file:
        np.savez(
            file,
            mean=mean,
            id_basis=np.random.default_rng(0).normal(size=(3, len(mean), 3)),
            exp_basis=np.random.default_rng(1).normal(size=(3, len(mean), 3)),
            exp_names=np.array(["jawOpen", "mouthSmile_L", "mouthSmile_R"]),
            faces=np.concatenate([corner + half for half in ([[0, 1, 34]], [[0, 34, 33]])]),
            lm68=apart.argmin(axis=1),
            unit=np.array("mm"),
        )
