import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mlanet.datasets import FaceCrops, write_shards
from mlanet.datasets.photos import MARGIN
from mlanet.errors import DataError
from mlanet.image import square_from_landmarks
from mlanet.training import SourceConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.layouts import DatasetSource


@pytest.fixture(scope="module")
def root(data, tmp_path_factory):
    """The usual photos, the same as shards, and shards of pictures without landmarks."""
    root = tmp_path_factory.mktemp("layouts")
    (root / "aflw_train").symlink_to(data / "aflw_train")
    write_shards(FaceCrops(data / "aflw_train"), root / "shards", lossless=True)
    (root / "plain").mkdir()
    rng = np.random.default_rng(0)
    with tarfile.open(root / "plain" / "some.tar", "w") as tar:
        for number in range(4):
            file = io.BytesIO()
            picture = rng.integers(0, 256, (80, 100, 3)).astype(np.uint8)
            Image.fromarray(picture).save(file, "png")
            info = tarfile.TarInfo(f"{number}.png")
            info.size = file.tell()
            file.seek(0)
            tar.addfile(info, file)
    return root


def test_landmarks_of_another_layout_are_labels(root, model, tiny):
    faces = LabelledFaces(root, 5, [SourceConfig("aflw_train", 0.5), SourceConfig("shards", 0.5)])
    own, other = faces.sources[0][3], faces.sources[1][3]
    np.testing.assert_array_equal(own.image, other.image)
    np.testing.assert_allclose(own.landmarks_px[:, :2], other.landmarks_px[:, :2], atol=1e-4)
    assert own.has_depth
    assert not other.has_depth
    assert not other.known.any()
    batch = faces.training_batch(0, 32, replace(tiny, batch_size=8))
    assert sorted(batch.has_depth) == [0.0] * 4 + [1.0] * 4
    assert {source for source, _ in faces.held_out} == {0}


def test_pictures_without_landmarks_are_unlabelled_samples(root, model, tiny):
    config = replace(
        tiny,
        batch_size=8,
        unlabelled=0.5,
        sources=(SourceConfig("aflw_train"),),
        unlabelled_sources=(SourceConfig("plain"),),
    )
    faces = LabelledFaces.of(config, root)
    batch = faces.training_batch(0, 32, config)
    assert (batch.num_labelled, batch.num_unlabelled) == (4, 4)
    assert np.isfinite(batch.landmarks_px).all()
    face = faces.sources[1][0]
    assert not face.has_landmarks
    left, top, right, bottom = square_from_landmarks(face.landmarks_px)
    assert (right - left, bottom - top) == pytest.approx((80 / MARGIN, 80 / MARGIN))
    assert (left + right, top + bottom) == pytest.approx((100, 80))


def test_pictures_without_landmarks_are_no_labelled_samples(root, tiny):
    config = replace(
        tiny, sources=(SourceConfig("aflw_train", 0.5), SourceConfig("plain", 0.5)), batch_size=4
    )
    faces = LabelledFaces.of(config, root)
    with pytest.raises(DataError, match="without landmarks, for unlabelled_sources only"):
        faces.training_batch(0, 32, config)


def test_the_evaluations_images_are_refused(tmp_path, model):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("image00001.jpg", "image00001.mat"):
        (folder / name).write_bytes(b"")
    with pytest.raises(DataError, match="to evaluate with, not to train on"):
        DatasetSource(folder, model)


def test_labels_need_our_own_layout(root):
    with pytest.raises(DataError, match=r"labels belong to pictures beside labels\.npz"):
        LabelledFaces(root, 5, [SourceConfig("shards", labels="fits.npz")])
