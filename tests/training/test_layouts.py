import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.cli.label import label
from mlanet.datasets import W300LP, FaceCrops, write_shards
from mlanet.datasets.photos import MARGIN
from mlanet.datasets.w300lp import photo_name
from mlanet.errors import DataError
from mlanet.image import square_from_landmarks
from mlanet.training import SourceConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.samples import JAW_WEIGHT_2D, points_to_crop
from mlanet.training.sources import other_layout


@pytest.fixture(scope="module")
def root(data, tmp_path_factory):
    """The usual photos, the same as shards, and shards of pictures without landmarks."""
    root = tmp_path_factory.mktemp("layouts")
    (root / "aflw_train").symlink_to(data / "aflw_train")
    write_shards(FaceCrops(data / "aflw_train"), root / "shards", lossless=True)
    write_shards(FaceCrops(data / "ytf68"), root / "contours", lossless=True)
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
    assert own.landmarks_px.shape == (68, 3)
    assert other.landmarks_px.shape == (68, 2)
    assert other.jaw_on_surface
    assert other.coefficients is None
    batch = faces.training_batch(0, 32, replace(tiny, batch_size=8))
    assert sorted(batch.has_depth.tolist()) == [0.0] * 4 + [1.0] * 4
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
    assert batch.labelled.tolist() == [True] * 4 + [False] * 4
    assert batch.landmarks_px.isfinite().all()
    face = faces.sources[1][0]
    assert face.landmarks_px is None
    left, top, right, bottom = square_from_landmarks(points_to_crop(face))
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
        other_layout(folder, model)


@pytest.fixture(scope="module")
def turned(make_faces, tmp_path_factory):
    """300W-LP: of each of four photos two pictures, and the mirror images of these."""
    root = tmp_path_factory.mktemp("turned")
    points = make_faces(8).landmarks_px[..., :2]
    for number, face in enumerate(points):
        photo, turn = divmod(number, 2)
        for folder in ("AFW", "AFW_Flip"):
            path = root / "300W_LP" / folder / f"AFW_{photo}_1_{turn}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture = np.full((64, 64, 3), 30 * photo + 100 * (folder == "AFW"), np.uint8)
            Image.fromarray(picture).save(path)
            pose = np.array([[0.0, 0.0, 0.0, 30.0, 30.0, 0.0, 1e-4]])
            shape, expression = np.zeros((199, 1)), np.zeros((29, 1))
            numbers = {"Pose_Para": pose, "Shape_Para": shape, "Exp_Para": expression}
            savemat(path.with_suffix(".mat"), numbers)
        marks = root / "300W_LP" / "landmarks" / "AFW"
        marks.mkdir(parents=True, exist_ok=True)
        savemat(marks / f"AFW_{photo}_1_{turn}_pts.mat", {"pts_2d": face + 9.0, "pts_3d": face})
    return root


def test_300w_lp_trains_alone_and_holds_out_whole_photos(turned, tiny):
    config = replace(tiny, sources=(SourceConfig("300W_LP"),), held_out=2)
    faces = LabelledFaces.of(config, turned)
    held_out = {faces.sources[0].photos.names[index] for _, index in faces.held_out}
    trained = {faces.sources[0].photos.names[index] for _, index in faces.training}
    assert (held_out, trained) == ({"AFW/AFW_0_1", "AFW/AFW_2_1"}, {"AFW/AFW_1_1", "AFW/AFW_3_1"})
    assert (len(faces.held_out), len(faces.training)) == (8, 8)
    (batch,) = faces.held_out_batches(32, 100)
    assert len(batch.images) == 8
    assert not batch.has_depth.any()


def test_the_jaw_of_300w_lp_is_the_surfaces(turned, root, tiny):
    for folder, parent, weight in (("300W_LP", turned, 1.0), ("contours", root, JAW_WEIGHT_2D)):
        faces = LabelledFaces(parent, 2, [SourceConfig(folder)])
        batch = faces.training_batch(0, 32, tiny)
        np.testing.assert_allclose(batch.weight[:, :17], weight)
        np.testing.assert_allclose(batch.weight[:, 17:], 1.0)


def test_fitted_coefficients_of_another_layout_are_known(turned, model, tiny):
    """Labels of all but one picture, in another order."""
    assert label(data=turned / "300W_LP", out=turned / "all.npz", processes=1) == 0
    with np.load(turned / "all.npz") as file:
        fits = dict(file)
    assert fits["jaw_weight"] == 1.0
    rows = np.random.default_rng(0).permutation(len(fits["name"]))[1:]
    columns = {name: column[rows] if column.ndim else column for name, column in fits.items()}
    np.savez(turned / "fits.npz", **columns)
    source = SourceConfig("300W_LP", labels="fits.npz", known=("identity", "rotation"))
    faces = LabelledFaces(turned, 2, [source])
    names, layout = W300LP(turned / "300W_LP").names, model.layout
    for index in range(len(names)):
        face, row = faces.sources[0][index], list(fits["name"]).index(names[index])
        known = names[index] in columns["name"] and bool(fits["accepted"][row])
        assert (face.coefficients is not None) == known
        if known:
            assert face.known.sum() == layout.identity + layout.num_rotation
            identity = face.coefficients[layout.slices["identity"]]
            np.testing.assert_array_equal(identity, fits["identity"][row])
            np.testing.assert_allclose(face.square_px[:2], fits["box_px"][row, :2])
    batch = faces.training_batch(0, 32, replace(tiny, batch_size=8))
    assert batch.coefficients[:, layout.slices["identity"]].abs().max() > 0.1
    assert faces.fingerprints != LabelledFaces(turned, 2, [SourceConfig("300W_LP")]).fingerprints


def test_labels_of_other_pictures_are_refused(root, turned):
    assert label(data=root / "contours", out=root / "fits.npz", processes=1) == 0
    (root / "300W_LP").symlink_to(turned / "300W_LP")
    with pytest.raises(DataError, match="labels of other pictures than those of 300W_LP"):
        LabelledFaces(root, 2, [SourceConfig("300W_LP", labels="fits.npz")])


@pytest.mark.parametrize(
    ("name", "photo"),
    [
        ("AFW_Flip/AFW_134212_1_7.jpg", "AFW/AFW_134212_1"),
        ("LFPWFlip_LFPW_image_train_0737_13.jpg", "LFPW/LFPW_image_train_0737"),
        ("HELEN/HELEN_1269874180_1_0.jpg", "HELEN/HELEN_1269874180_1"),
        ("another.jpg", "another.jpg"),
    ],
)
def test_turned_pictures_are_of_one_photo(name, photo):
    assert photo_name(name) == photo
