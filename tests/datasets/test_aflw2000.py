import tarfile

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from mlanet.datasets import (
    AFLW2000,
    AFLW2000Annotations,
    protocol_boxes,
    read_annotations,
)
from mlanet.errors import DataError, ImageError
from mlanet.geometry import euler_from_matrix

NAMES = ("image00002.jpg", "image00004.jpg", "image00008.jpg")


def parameters(seed):
    """A `.mat` file's content with the data set's own mixture of types."""
    rng = np.random.default_rng(seed)
    odd = np.uint8 if seed == 1 else np.float64
    return {
        "Pose_Para": np.array([[0.1, -0.5 * seed, 0.2, 200, 180, -50, 1e-3]], dtype=np.float32),
        "Shape_Para": rng.normal(0, 1e5, (199, 1)),
        "Exp_Para": rng.integers(0, 9, (29, 1)).astype(odd),
        "Color_Para": np.ones((1, 7), dtype=np.uint8),
        "Illum_Para": rng.normal(size=(1, 10)),
        "Tex_Para": np.zeros((199, 1), dtype=np.uint8),
        "pt2d": rng.uniform(0, 450, (2, 21)),
        "pt3d_68": rng.uniform(0, 450, (3, 68)).astype(np.float64 if seed else np.float32),
        "roi": np.array([[-22, -68, 462, 416]], dtype=np.int16),
    }


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "AFLW2000"
    place.mkdir()
    for seed, name in enumerate(NAMES):
        Image.new("L" if seed == 2 else "RGB", (45, 45), 60 * seed).save(place / name)
        savemat(place / name.replace(".jpg", ".mat"), parameters(seed), do_compression=seed > 0)
    (place / "Code").mkdir()
    return place


@pytest.fixture(params=["folder", "parent", "tar", "folder of the tar"])
def dataset(request, folder, tmp_path):
    if request.param == "folder":
        return AFLW2000(folder)
    if request.param == "parent":
        return AFLW2000(folder.parent)
    (tmp_path / "elsewhere").mkdir()
    path = tmp_path / "elsewhere" / "AFLW2000.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "AFLW2000")
    return AFLW2000(path if request.param == "tar" else path.parent)


def test_samples_hold_what_was_written(dataset):
    assert dataset.names == NAMES
    assert dataset.index_of["image00004.jpg"] == 1
    for seed in range(3):
        written, sample, read = parameters(seed), dataset[seed], dataset.parameters(seed)
        assert sample.image.shape == (45, 45, 3)
        np.testing.assert_allclose(sample.landmarks_px, written["pt3d_68"].T)
        np.testing.assert_allclose(
            sample.angles_deg, np.degrees(written["Pose_Para"][0, :3].astype(float))
        )
        np.testing.assert_allclose(
            euler_from_matrix(sample.rotation), written["Pose_Para"][0, :3], atol=1e-6
        )
        np.testing.assert_array_equal(read.expression, written["Exp_Para"][:, 0])
        np.testing.assert_array_equal(read.shape, written["Shape_Para"][:, 0])
        arrays = (read.pose, read.shape, read.expression, read.landmarks_px)
        assert {array.dtype for array in arrays} == {np.dtype(np.float64)}
        assert sample.landmarks_px.shape == (68, 3)


def test_missing_parameters_are_named(folder):
    (folder / "image00004.mat").unlink()
    with pytest.raises(DataError, match=r"image00004\.mat is missing"):
        AFLW2000(folder)


def test_nothing_there(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        AFLW2000(tmp_path / "absent")
    with pytest.raises(DataError, match="holds neither"):
        AFLW2000(tmp_path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("Pose_Para", None, "Pose_Para"),
        ("pt3d_68", np.zeros((2, 68)), "pt3d_68"),
        ("Shape_Para", np.full((199, 1), np.inf), "not finite"),
        ("Exp_Para", np.array([["x" * 29]]), "Exp_Para"),
    ],
)
def test_malformed_parameters_are_named(folder, key, value, message):
    content = parameters(0) | {key: value}
    savemat(folder / "image00002.mat", {k: v for k, v in content.items() if v is not None})
    with pytest.raises(DataError, match=rf"{message}.*image00002|image00002.*{message}|{message}"):
        AFLW2000(folder)[0]


@pytest.mark.parametrize("kept", [0, 60, 130, 700, 2000])
def test_truncated_parameters_and_pictures(folder, kept):
    mat = folder / "image00004.mat"
    mat.write_bytes(mat.read_bytes()[:kept])
    with pytest.raises(DataError, match=r"image00004\.mat"):
        AFLW2000(folder)[1]
    (folder / "image00002.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ImageError, match=r"image00002\.jpg"):
        AFLW2000(folder)[0]


def arrays(**changes):
    rng = np.random.default_rng(0)
    return {
        "name": np.array(NAMES),
        "pts68_original": rng.uniform(0, 450, (3, 3, 68)).astype(np.float32),
        "pts68_reannotated": rng.uniform(0, 450, (3, 2, 68)).astype(np.float32),
        "yaw_deg": np.array([0.0, -40.0, 80.0], dtype=np.float32),
        "roi_box": np.array([[10, 20, 110, 120]] * 3, dtype=np.float32),
    } | changes


def test_annotations_are_points_first(tmp_path):
    np.savez(tmp_path / "a.npz", **arrays())
    found = AFLW2000Annotations.load(tmp_path / "a.npz")
    assert found.names == NAMES
    np.testing.assert_allclose(found.original_px[1, 5], arrays()["pts68_original"][1, :, 5])
    original, other = (found.landmarks_2d_px(kind) for kind in ("original", "reannotated"))
    np.testing.assert_allclose(original[2, :, 1], arrays()["pts68_original"][2, 1])
    np.testing.assert_allclose(other[2, :, 1], arrays()["pts68_reannotated"][2, 1])
    assert original.shape == other.shape == (3, 68, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": np.array(["a", "b", "a"])}, "twice"),
        ({"roi_box": np.array([[10.0, 20.0, 5.0, 30.0]] * 3)}, "roi_box"),
        ({"pts68_original": np.zeros((3, 68, 3))}, "pts68_original"),
        ({"yaw_deg": np.zeros(2)}, "length"),
    ],
)
def test_malformed_annotations(tmp_path, changes, message):
    np.savez(tmp_path / "a.npz", **arrays(**changes))
    with pytest.raises(DataError, match=message):
        AFLW2000Annotations.load(tmp_path / "a.npz")


def test_annotations_without_a_second_one(tmp_path):
    content = arrays()
    del content["pts68_reannotated"]
    np.savez(tmp_path / "a.npz", **content)
    found = AFLW2000Annotations.load(tmp_path / "a.npz")
    assert found.landmarks_2d_px("original").shape == (3, 68, 2)
    with pytest.raises(DataError, match="re-annotation is not known"):
        found.landmarks_2d_px("reannotated")


def test_the_data_sets_own_annotation(dataset):
    found = read_annotations(None, dataset)
    assert found.names == NAMES
    assert found.reannotated_px is None
    for row in range(3):
        written = parameters(row)
        np.testing.assert_allclose(found.original_px[row], written["pt3d_68"].T, atol=1e-4)
        assert found.yaw_deg[row] == pytest.approx(np.degrees(written["Pose_Para"][0, 1]))
    np.testing.assert_array_equal(found.roi_box_px, protocol_boxes(found.original_px[..., :2]))


def test_boxes_of_the_protocol():
    points = np.zeros((2, 68, 2))
    points[0, 0], points[0, 1:] = (100.0, 200.0), (200.0, 240.0)
    points[1, 0], points[1, 1:] = (20.0, 10.0), (430.0, 440.0)
    # 100 px wide: half a side is 70.71 px; 150 - 70.71 = 79.29, 220 - 70.71 = 149.29, side 141.42
    expected = [[79, 149, 79 + 141, 149 + 141], [1, 1, 450, 450]]
    np.testing.assert_array_equal(protocol_boxes(points), expected)


@pytest.mark.parametrize("rows", [2, 3])
def test_the_re_annotation_as_3ddfa_publishes_it(dataset, tmp_path, rows):
    original = read_annotations(None, dataset).original_px
    moved = original[..., :2] + np.random.default_rng(1).normal(0.0, 2.0, (3, 68, 2))
    stored = np.concatenate([moved, 0.0 * original[..., 2:]], axis=2)[..., :rows]
    np.save(tmp_path / "again.npy", stored.transpose(0, 2, 1).astype(np.float32))
    found = read_annotations(tmp_path / "again.npy", dataset)
    np.testing.assert_allclose(found.landmarks_2d_px("reannotated"), moved, atol=1e-4)
    np.testing.assert_array_equal(found.original_px, original)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((3, 68, 2)), "shape"),
        (np.zeros((2, 2, 68)), "shape"),
        (np.zeros((3, 2, 68)), "do not lie on the faces"),
        (np.full((3, 2, 68), np.nan), "do not lie on the faces"),
        (np.full((3, 2, 68), "x"), "expected numbers"),
    ],
)
def test_a_re_annotation_of_something_else(folder, tmp_path, points, message):
    np.save(tmp_path / "again.npy", points)
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path / "again.npy", AFLW2000(folder))
    (tmp_path / "again.npy").write_bytes(b"\x93NUMPY nothing")
    with pytest.raises(DataError, match="not a readable npy file"):
        read_annotations(tmp_path / "again.npy", AFLW2000(folder))
