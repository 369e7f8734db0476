"""Whole files of every kind that mlanet reads, small, and made here."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms
from scipy.io import savemat

from mlanet.assets import verified_path
from mlanet.image import read_image
from mlanet.morphable import load_model, save_model

from .data_sources import data_sources
from .source import Source

SIDE = 128


def example_face() -> Image.Image:
    """The shipped photo around its face."""
    return Image.fromarray(read_image(verified_path("example-image"))).crop((100, 10, 400, 310))


def make_pictures(root: Path) -> list[Source]:
    """A face in every format that is read, in several of the ways it can be written."""
    root.mkdir(parents=True)
    face = example_face().resize((SIDE, SIDE))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(np.asarray(face.convert("L")).astype(np.uint16) * 257)
    alpha = face.convert("RGBA")
    alpha.putalpha(200)
    made: list[tuple[str, str, Image.Image, dict]] = [
        ("baseline.jpg", "jpeg", face, {"quality": 90, "exif": exif, "icc_profile": profile}),
        ("progressive.jpg", "jpeg", face, {"progressive": True}),
        ("cmyk.jpg", "jpeg", face.convert("CMYK"), {}),
        ("rgb.png", "png", face, {"icc_profile": profile}),
        ("palette.png", "png", face.quantize(64), {"transparency": 3}),
        ("wide.png", "png", wide, {}),
        ("alpha.png", "png", alpha, {"exif": exif}),
        ("lossy.webp", "", face, {"exif": exif}),
        ("lossless.webp", "", alpha, {"lossless": True, "icc_profile": profile}),
        ("a.gif", "", face.quantize(32), {}),
        ("moving.gif", "", face.quantize(32), {"save_all": True, "append_images": [face] * 2}),
        ("a.bmp", "", face, {}),
        ("palette.bmp", "", face.quantize(16), {}),
        ("raw.tiff", "", face, {"icc_profile": profile}),
        ("lzw.tiff", "", face, {"compression": "tiff_lzw"}),
        ("deflate.tiff", "", wide, {"compression": "tiff_adobe_deflate"}),
        ("jpeg.tiff", "", face, {"compression": "jpeg"}),
        ("a.ppm", "", face, {}),
        ("a.avif", "", face, {}),
        ("a.jp2", "", face, {}),
    ]
    sources = []
    for name, structure, picture, options in made:
        folder = root / name.replace(".", "-")
        folder.mkdir()
        try:
            picture.save(folder / name, **options)
        except (OSError, KeyError):  # this Pillow was built without the format
            continue
        ways = ("read_image",) * 17 + ("reconstructor",) * 2 + ("mlanet reconstruct",)
        sources.append(Source(name, folder, name, structure, ways))
    return sources


def make_files(root: Path) -> list[Source]:
    """Models, data, points and configurations."""
    sources: list[Source] = []
    for make in (_models, _networks, _points, _settings):
        sources += make(root)
    return sources + data_sources(root, example_face().resize((SIDE, SIDE)))


@dataclass(frozen=True)
class SmallFace:
    """A bent grid in mm with a nose, and random modes."""

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    faces: np.ndarray
    keypoints: np.ndarray


def small_face() -> SmallFace:
    rng = np.random.default_rng(0)
    columns, rows = 17, 21
    x, y = np.meshgrid(np.linspace(-80, 80, columns), np.linspace(-110, 80, rows))
    nose = 22 * np.exp(-((x / 12) ** 2) - ((y + 19) / 14) ** 2)
    z = 104 - 60 * (x / 80) ** 2 - 12 * (y / 100) ** 2 + nose
    mean = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).reshape(-1, 1)
    halves = np.array([[0, 1, columns + 1], [0, columns + 1, columns]])
    faces = np.concatenate([corner + half for half in halves]).astype(np.int32)
    landmarks = np.asarray(load_model().landmarks.mean, np.float64)
    apart = np.linalg.norm(landmarks[:, None, :2] - mean[None, :, :2], axis=-1)
    modes = [rng.normal(size=(len(mean), 3, n)).astype(np.float32) for n in (4, 3)]
    return SmallFace(mean, modes[0], modes[1], faces, apart.argmin(axis=1))


def _models(root: Path) -> list[Source]:
    face = small_face()
    makers: dict[str, tuple[str, str, Callable[[SmallFace, Path], None]]] = {
        "deep3d": ("BFM_model_front.mat", "mat", _write_deep3d),
        "flame": ("flame.pkl", "", _write_flame),
        "ict npz": ("ict.npz", "zip", _write_ict_npz),
        "native": ("native.npz", "zip", _write_native),
    }
    if find_spec("h5py") is not None:
        makers["basel h5"] = ("basel.h5", "", _write_basel_h5)
    sources = []
    for name, (victim, structure, write) in makers.items():
        folder = root / name.replace(" ", "-")
        folder.mkdir(parents=True)
        write(face, folder / victim)
        ways = ("models info",) * 29 + ("models sheet",)
        sources.append(Source(name, folder, victim, structure, ways, 2.0))
    folder = root / "ict-folder"
    _write_ict_folder(face, folder / "FaceXModel")
    names = ("generic_neutral_mesh.obj", "identity000.obj", "jawOpen.obj", "vertex_indices.json")
    ways = ("models info folder",)
    sources += [Source(f"ict {n}", folder, f"FaceXModel/{n}", "text", ways) for n in names]
    folder = root / "model-landmarks"
    folder.mkdir()
    _write_flame(face, folder / "flame.pkl")
    (folder / "landmarks.json").write_text(json.dumps(face.keypoints.tolist()))
    sources.append(
        Source("landmarks of a model", folder, "landmarks.json", "text", ("models info landmarks",))
    )
    return sources


def _write_deep3d(face: SmallFace, path: Path) -> None:
    def flat(modes: np.ndarray) -> np.ndarray:
        return modes.reshape(-1, *modes.shape[2:])

    values = {
        "meanshape": flat(face.mean)[None] / 100.0,
        "idBase": flat(face.identity) / 100.0,
        "exBase": flat(face.expression) / 100.0,
        "meantex": np.full((1, face.mean.size), 128.0),
        "texBase": flat(face.identity)[:, :2] * 5.0,
        "tri": face.faces + 1.0,
        "keypoints": face.keypoints[None] + 1.0,
    }
    savemat(path, values, appendmat=False)


def _write_flame(face: SmallFace, path: Path) -> None:
    modes = np.zeros((len(face.mean), 3, 301), np.float32)
    content = {"v_template": face.mean / 1000.0, "f": face.faces, "shapedirs": modes}
    path.write_bytes(pickle.dumps(content, 2))


def _write_basel_h5(face: SmallFace, path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, mean, modes in (
            ("shape", face.mean, face.identity),
            ("expression", 0 * face.mean, face.expression),
        ):
            file[f"{name}/model/mean"] = mean.reshape(-1)
            file[f"{name}/model/pcaBasis"] = modes.reshape(-1, modes.shape[-1])
            file[f"{name}/model/pcaVariance"] = np.ones(modes.shape[-1])
        file["shape/representer/cells"] = face.faces.T


def _write_ict_npz(face: SmallFace, path: Path) -> None:
    np.savez_compressed(
        path,
        mean=face.mean / 10.0,
        id_basis=np.moveaxis(face.identity, -1, 0),
        exp_basis=np.moveaxis(face.expression, -1, 0),
        exp_names=np.array(["a", "b", "c"]),
        faces=face.faces,
        lm68=face.keypoints,
        unit=np.array("cm"),
    )


def _write_native(face: SmallFace, path: Path) -> None:
    source = path.with_name("source.npz")
    _write_ict_npz(face, source)
    save_model(load_model(source), path)
    source.unlink()


def _write_ict_folder(face: SmallFace, folder: Path) -> None:
    folder.mkdir(parents=True)

    def text(vertices: np.ndarray) -> str:
        lines = ["v {:.6f} {:.6f} {:.6f}".format(*vertex) for vertex in vertices / 10.0]
        lines += ["f " + " ".join(str(v + 1) for v in triangle) for triangle in face.faces]
        return "\n".join(lines) + "\n"

    (folder / "generic_neutral_mesh.obj").write_text(text(face.mean))
    for k in range(2):
        (folder / f"identity{k:03d}.obj").write_text(text(face.mean + face.identity[..., k]))
    names = ["jawOpen", "mouthSmile_L"]
    for k, name in enumerate(names):
        (folder / f"{name}.obj").write_text(text(face.mean + face.expression[..., k]))
    info = {"expressions": names, "idx_to_landmark_verts": face.keypoints.tolist()}
    (folder / "vertex_indices.json").write_text(json.dumps(info))


def _networks(root: Path) -> list[Source]:
    folder = root / "network"
    folder.mkdir()
    (folder / "weights.onnx").write_bytes(verified_path("mobile").read_bytes())
    example_face().resize((SIDE, SIDE)).save(folder / "photo.png")
    return [Source("network", folder, "weights.onnx", "", ("weights",), 2.0)]


def _points(root: Path) -> list[Source]:
    points = np.random.default_rng(0).uniform(0, SIDE, (68, 2))
    rows = "\n".join(f"{x:.3f} {y:.3f}" for x, y in points)
    texts = {
        "photo.pts": f"version: 1\nn_points: 68\n{{\n{rows}\n}}\n",
        "photo.json": json.dumps({"landmarks_px": points.tolist()}),
    }
    folder = root / "points"
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
    np.save(folder / "photo.npy", points)
    return [
        Source("points .pts", folder, "photo.pts", "text", ("points",)),
        Source("points .json", folder, "photo.json", "text", ("points",)),
        Source("points .npy", folder, "photo.npy", "npy", ("points",)),
    ]


def _settings(root: Path) -> list[Source]:
    if find_spec("torch") is None:
        return []
    from dataclasses import asdict

    from mlanet.training import TrainingConfig

    folder = root / "settings"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(asdict(TrainingConfig()), indent=1))
    return [Source("training configuration", folder, "config.json", "text", ("training config",))]
