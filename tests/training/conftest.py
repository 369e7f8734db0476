import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.coefficients import Coefficients
from mlanet.datasets import Sample
from mlanet.geometry import Camera, decode_pose, landmarks_in_pixels, six_d_from_matrix
from mlanet.geometry import matrix_from_euler as rotation
from mlanet.morphable import MorphableModel
from mlanet.training import AugmentationConfig, Stage, TrainingConfig
from mlanet.training.samples import Samples

SIDE = 64


@pytest.fixture(scope="session")
def neutral():
    """No changes at all."""
    return AugmentationConfig(
        rotation_deg=0.0,
        shift=0.0,
        log_scale=0.0,
        flip=0.0,
        color=0.0,
        grey=0.0,
        blur=0.0,
        motion=0.0,
        noise=0.0,
        occluder=0.0,
        turned=0.0,
        cut=0.0,
    )


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def model():
    return MorphableModel.load()


@dataclass(frozen=True)
class Faces:
    """Random heads of the embedded model: coefficients, landmarks (n, 68, 3) in a 64 px crop."""

    coefficients: Coefficients
    landmarks_px: np.ndarray


def random_faces(model, count, seed=0) -> Faces:
    rng = np.random.default_rng(seed)
    angles = rng.normal(size=(count, 3)) * [0.1, 0.3, 0.1]
    layout = model.layout
    coefficients = Coefficients(
        identity=rng.normal(size=(count, layout.identity)) * 0.3,
        expression=rng.uniform(0, 0.3, (count, layout.expression)),
        albedo=np.zeros((count, layout.albedo)),
        rotation=six_d_from_matrix(rotation(angles)),
        translation=np.concatenate([rng.normal(size=(count, 2)) * 0.02, np.zeros((count, 1))], 1),
        lighting=np.zeros((count, 27)),
    )
    points = model.landmarks(coefficients.identity, coefficients.expression)
    pose = decode_pose(coefficients.rotation, coefficients.translation)
    return Faces(coefficients, landmarks_in_pixels(Camera.of_crop(SIDE), pose, points))


def draw_blobs(landmarks_px: np.ndarray) -> np.ndarray:
    """A picture (64, 64, 3) of soft dots, each landmark of its own colour, on dark grey."""
    centers = np.arange(SIDE) + 0.5
    x = np.exp(-0.5 * ((centers - landmarks_px[:, :1]) / 1.5) ** 2)
    y = np.exp(-0.5 * ((centers - landmarks_px[:, 1:2]) / 1.5) ** 2)
    colors = np.random.default_rng(1).uniform(0.3, 1.0, (68, 3))
    picture = 0.1 + np.einsum("nx,ny,nc->yxc", x, y, colors)
    return (np.clip(picture, 0, 1) * 255).astype(np.uint8)


def write_crops(folder: Path, pictures, landmarks_px) -> None:
    """A folder of labelled crops: two tar files of lossless WebP and labels.npz."""
    folder.mkdir(parents=True)
    names = [f"image{number:05d}.webp" for number in range(len(pictures))]
    half = len(names) // 2
    for part, chosen in enumerate((slice(None, half), slice(half, None))):
        with tarfile.open(folder / f"images-{part:02d}.tar", "w") as archive:
            for name, picture in zip(names[chosen], pictures[chosen], strict=True):
                file = io.BytesIO()
                Image.fromarray(picture).save(file, "WEBP", lossless=True)
                member = tarfile.TarInfo(name)
                member.size = file.tell()
                file.seek(0)
                archive.addfile(member, file)
    np.savez(folder / "labels.npz", name=np.array(names), pts68_px=landmarks_px.astype(np.float32))


@pytest.fixture(scope="session")
def make_samples(model):
    """`make_samples(landmarks_px, side)`: black crops with these landmarks, depth included."""

    def make(landmarks_px, side):
        black = np.zeros((side, side, 3), np.uint8)
        points = [np.asarray(each, np.float32) for each in landmarks_px]
        return Samples.cat([Samples.of(Sample("", black, each), model.layout) for each in points])

    return make


@pytest.fixture(scope="session")
def make_faces(model):
    """`make_faces(count, seed)`: random heads."""
    return lambda count, seed=0: random_faces(model, count, seed)


@pytest.fixture(scope="session")
def make_folder():
    """`make_folder(path, landmarks_px, pictures)`; without pictures, blobs are drawn."""

    def make(folder, landmarks_px, pictures=None):
        drawn = [draw_blobs(points) for points in landmarks_px] if pictures is None else pictures
        write_crops(folder, drawn, landmarks_px)

    return make


@pytest.fixture(scope="session")
def data(make_faces, make_folder, tmp_path_factory):
    """12 faces with depth and 6 without, in the layout of the real data."""
    root = tmp_path_factory.mktemp("data")
    make_folder(root / "aflw_train", make_faces(12).landmarks_px)
    make_folder(root / "ytf68", make_faces(6, seed=1).landmarks_px[..., :2])
    return root


@pytest.fixture(scope="session")
def tiny():
    """A run of a few steps that crosses from one stage to the next."""
    return TrainingConfig(
        steps=6, batch_size=4, held_out=4, stages=(Stage(0.5, 32), Stage(0.5, 64))
    )
