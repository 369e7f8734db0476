"""Whole data sets of two or three samples, predictions and results, to be damaged."""

import io
import pickle
import shutil
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from mlanet.export import write_ply
from mlanet.geometry import Mesh, matrix_from_euler, viewer_from_camera
from mlanet.morphable import load_model

from .source import Source
from .ways_in import command

NAMES = ("image00002.jpg", "image00004.jpg")
DATASET = ("dataset check",)


def data_sources(root: Path, face: Image.Image) -> list[Source]:
    """Each layout that is read; the picture of every sample is `face`."""
    root.mkdir(parents=True, exist_ok=True)
    return [
        *_aflw2000(root, face),
        *_w300lp(root, face),
        *_crops(root, face),
        *_photos(root, face),
        *_threeddfa(root, face),
        *_meshes(root),
    ]


def _points(side: int) -> np.ndarray:
    """The mean face's landmarks (68, 3) in a picture."""
    mean = np.asarray(load_model().landmarks.mean) * [1.0, -1.0, 1.0]
    low, extent = mean.min(axis=0), np.ptp(mean, axis=0).max()
    return (mean - low) / extent * side * 0.5 + side * 0.25


def _mat(points: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "Pose_Para": np.array([[0.1, -0.5, 0.2, 20, 18, -5, 1e-4]]),
        "Shape_Para": np.zeros((199, 1)),
        "Exp_Para": np.zeros((29, 1)),
        "Color_Para": np.ones((1, 7), np.uint8),
        "Illum_Para": np.zeros((1, 10)),
        "Tex_Para": np.zeros((199, 1)),
        "pt2d": points.T[:2].astype(np.float32),
        "pt3d_68": points.T.astype(np.float32),
        "roi": np.array([[-22, -68, 462, 416]], np.int16),
    }


def _aflw2000(root: Path, face: Image.Image) -> list[Source]:
    points = _points(face.width)
    folder = root / "aflw2000"
    data = folder / "AFLW2000"
    data.mkdir(parents=True)
    for name in NAMES:
        face.save(data / name, quality=90)
        savemat(data / name.replace(".jpg", ".mat"), _mat(points))
    original = np.stack([points.T] * len(NAMES)).astype(np.float32)
    np.savez(
        folder / "annotations.npz",
        name=np.array(NAMES),
        pts68_original=original,
        pts68_reannotated=original[:, :2],
        yaw_deg=np.zeros(len(NAMES)),
        roi_box=np.array([[6.0, 6.0, 66.0, 66.0]] * len(NAMES)),
    )
    np.savez(
        folder / "predictions.npz",
        names=np.array(NAMES),
        landmarks=original.transpose(0, 2, 1),
        angles_deg=np.zeros((len(NAMES), 3)),
    )
    made = root / "shards"
    for words in (
        ("dataset", "shards", "--data", data, "--out", made / "data"),
        ("evaluate", "aflw2000", "--data", data, "--annotations", folder / "annotations.npz",
         "--predictions", folder / "predictions.npz", "--out", root / "report"),
    ):  # fmt: skip
        answer = command(*words)
        assert answer.status == 0, answer.text
    shutil.copytree(data, made / "AFLW2000")
    (root / "report" / "other.json").write_bytes((root / "report" / "report.json").read_bytes())
    victim = f"AFLW2000/{NAMES[0].replace('.jpg', '.mat')}"
    checked, evaluated = ("dataset check aflw2000",), ("evaluate aflw2000",)
    return [
        Source("aflw2000 .mat", folder, victim, "mat", (*checked, *evaluated), 2.0),
        Source("aflw2000 .jpg", folder, f"AFLW2000/{NAMES[0]}", "jpeg", checked),
        Source("aflw2000 annotations", folder, "annotations.npz", "zip", evaluated, 1.0),
        Source("predictions", folder, "predictions.npz", "zip", evaluated, 1.0),
        Source("report", root / "report", "report.json", "text", ("evaluate compare",)),
        Source("shard", made, "data/shard-000000.tar", "tar", ("dataset check data",), 2.0),
        Source("dataset.json", made, "data/dataset.json", "text", ("dataset shards again",)),
    ]


def _w300lp(root: Path, face: Image.Image) -> list[Source]:
    points = _points(face.width)
    folder = root / "300w-lp"
    for path in (folder / "data" / "AFW", folder / "data" / "landmarks" / "AFW"):
        path.mkdir(parents=True)
    face.save(folder / "data" / "AFW" / "AFW_1_0.jpg")
    savemat(folder / "data" / "AFW" / "AFW_1_0.mat", _mat(points))
    two = {"pts_2d": points[:, :2], "pts_3d": points[:, :2]}
    savemat(folder / "data" / "landmarks" / "AFW" / "AFW_1_0_pts.mat", two)
    ways = ("dataset check data",)
    return [
        Source("300w-lp .mat", folder, "data/AFW/AFW_1_0.mat", "mat", ways, 2.0),
        Source("300w-lp points", folder, "data/landmarks/AFW/AFW_1_0_pts.mat", "mat", ways),
    ]


def _crops(root: Path, face: Image.Image) -> list[Source]:
    folder = root / "crops"
    (folder / "data").mkdir(parents=True)
    content = io.BytesIO()
    face.save(content, "WEBP", lossless=True)
    with tarfile.open(folder / "data" / "images-00.tar", "w") as archive:
        for name in ("a.webp", "b.webp"):
            member = tarfile.TarInfo(name)
            member.size = len(content.getvalue())
            archive.addfile(member, io.BytesIO(content.getvalue()))
    np.savez(
        folder / "data" / "labels.npz",
        name=np.array(["a.webp", "b.webp"]),
        pts68_px=np.stack([_points(face.width)] * 2).astype(np.float16),
        rotation=np.stack([np.eye(3)] * 2),
        angles_deg=np.zeros((2, 3)),
        identity=np.array(["p", "q"]),
    )
    ways = ("dataset check data",)
    return [
        Source("crops tar", folder, "data/images-00.tar", "tar", ways),
        Source("crops labels", folder, "data/labels.npz", "zip", ways, 2.0),
    ]


def _photos(root: Path, face: Image.Image) -> list[Source]:
    folder = root / "photos"
    (folder / "data").mkdir(parents=True)
    face.save(folder / "data" / "photo.png")
    answer = command("dataset", "check", "--data", folder / "data", "--cache", folder / "cache")
    assert answer.status == 0, answer.text
    (cache,) = (folder / "cache").glob("*.json")
    return [
        Source("detections", folder, f"cache/{cache.name}", "text", ("dataset check photos",)),
        Source("photo of a folder", folder, "data/photo.png", "png", ("dataset check photos",)),
    ]


def _threeddfa(root: Path, face: Image.Image) -> list[Source]:
    folder = root / "3ddfa"
    data = folder / "data"
    configs, pictures = data / "train.configs", data / "train_aug_120x120"
    configs.mkdir(parents=True)
    pictures.mkdir()
    face.resize((120, 120)).save(pictures / "a.jpg")
    (configs / "train_aug_120x120.list.train").write_text("a.jpg\n")
    viewer = np.asarray(viewer_from_camera(matrix_from_euler(np.array([0.1, 0.5, -0.2]))))
    matrix = np.concatenate([5e-4 * viewer, [[60.0], [62.0], [-40.0]]], axis=1)
    vector = np.concatenate([matrix.reshape(-1), np.zeros(50)]).astype(np.float32)
    (configs / "param_all_norm.pkl").write_bytes(pickle.dumps(vector[None], 4))
    whitening = {"param_mean": np.zeros(62, np.float32), "param_std": np.ones(62, np.float32)}
    (configs / "param_whitening.pkl").write_bytes(pickle.dumps(whitening, 4))
    ways = ("dataset check data",)
    return [
        Source("3ddfa parameters", folder, "data/train.configs/param_all_norm.pkl", "", ways),
        Source("3ddfa whitening", folder, "data/train.configs/param_whitening.pkl", "", ways),
        Source("3ddfa list", folder, f"data/{LIST_3DDFA}", "text", ways, 0.5),
    ]


LIST_3DDFA = "train.configs/train_aug_120x120.list.train"


def _meshes(root: Path) -> list[Source]:
    """Predicted meshes as other methods write them."""
    folder = root / "meshes"
    folder.mkdir()
    model = load_model()
    vertices = np.asarray(model.shape.mean, np.float64)
    write_ply(folder / "ply.ply", Mesh(vertices, model.base_faces))
    lines = ["v {:.3f} {:.3f} {:.3f}".format(*vertex) for vertex in vertices]
    lines += ["f {} {} {}".format(*(face + 1)) for face in model.base_faces]
    (folder / "obj.obj").write_text("\n".join(lines) + "\n")
    for name in ("ply", "obj"):
        np.save(folder / f"{name}.npy", np.asarray(model.landmarks.mean))
    return [
        Source("mesh .ply", folder, "ply.ply", "", ("mesh ply",)),
        Source("mesh .obj", folder, "obj.obj", "text", ("mesh obj",)),
        Source("mesh .npy", folder, "obj.npy", "npy", ("mesh obj",)),
    ]
