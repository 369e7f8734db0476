import os
import pickle

import numpy as np
import pytest
from PIL import Image

from mlanet.datasets import ThreeDDFALists, read_samples, threeddfa
from mlanet.errors import DataError
from mlanet.geometry import matrix_from_euler, viewer_from_camera

ANGLES = np.array([[0.1, 0.5, -0.2], [0.0, -1.2, 0.1], [-0.3, 0.0, 0.0]])
SCALE = np.array([5e-4, 6e-4, 4e-4])
SHIFT = np.array([[60.0, 62.0, -40.0], [55.0, 70.0, 0.0], [61.0, 60.0, 9.0]])
NAMES = ("AFW_1_0_1.jpg", "flip/HELEN_2.jpg", "LFPW_3.jpg")


def vectors():
    """62 numbers of three faces as 3DDFA defines them: s R and t row by row, shape, expression."""
    rng = np.random.default_rng(0)
    viewer = np.asarray(viewer_from_camera(matrix_from_euler(ANGLES)))
    matrix = np.concatenate([SCALE[:, None, None] * viewer, SHIFT[:, :, None]], axis=2)
    coefficients = np.column_stack([rng.normal(0, 1e5, (3, 40)), rng.normal(0, 1, (3, 10))])
    return np.concatenate([matrix.reshape(3, 12), coefficients], axis=1)


DEVIATION = np.array([*([2e-4, 2e-4, 2e-4, 5.0] * 3), *([1e5] * 40), *([1.5] * 10)], np.float32)
MEAN = np.linspace(-0.4, 0.6, 62, dtype=np.float32) * DEVIATION


def dump(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol))


def basis(folder):
    """Files of 3DDFA's basis with 70 vertices, of which 68 are landmarks; returns the arrays."""
    rng = np.random.default_rng(1)
    keypoints = np.arange(6, 210)
    arrays = {
        "u_shp": rng.normal(0, 6e4, (210, 1)).astype(np.float32),
        "u_exp": rng.normal(0, 1e3, (210, 1)).astype(np.float32),
        "w_shp_sim": rng.normal(0, 1e-2, (210, 40)).astype(np.float32),
        "w_exp_sim": rng.normal(0, 1e3, (210, 10)).astype(np.float32),
        "keypoints_sim": keypoints,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return arrays


@pytest.fixture
def root(tmp_path):
    configs, pictures = tmp_path / "train.configs", tmp_path / "train_aug_120x120"
    (pictures / "flip").mkdir(parents=True)
    configs.mkdir()
    for number, name in enumerate(NAMES):
        Image.new("RGB", (120, 120), (60 * number, 1, 1)).save(pictures / name)
    (configs / "train_aug_120x120.list.train").write_text("\n".join(NAMES) + "\n\n")
    whitened = ((vectors() - MEAN) / DEVIATION).astype(np.float32)
    dump(configs / "param_all_norm.pkl", whitened)
    dump(configs / "param_whitening.pkl", {"param_mean": MEAN, "param_std": DEVIATION}, 2)
    return tmp_path


def test_numbers_are_dewhitened_and_turned_to_our_conventions(root):
    dataset = ThreeDDFALists.open(root)
    assert dataset.names == NAMES
    np.testing.assert_allclose(dataset.vectors, vectors(), rtol=1e-4, atol=1e-8)
    for index in range(3):
        found = dataset.parameters(index)
        place = found.placement
        np.testing.assert_allclose(place.rotation, matrix_from_euler(ANGLES[index]), atol=1e-5)
        np.testing.assert_allclose(place.rotation @ place.rotation.T, np.eye(3), atol=1e-9)
        assert place.scale == pytest.approx(1000.0 * SCALE[index], rel=1e-5)
        x, y, z = SHIFT[index]
        np.testing.assert_allclose(place.origin_px, [x, 121.0 - y, z], atol=1e-3)
        np.testing.assert_allclose(found.shape, vectors()[index, 12:52], rtol=1e-4, atol=1e-2)
        np.testing.assert_allclose(found.expression, vectors()[index, 52:], atol=1e-3)
        sample = dataset[index]
        np.testing.assert_allclose(sample.angles_deg, np.degrees(ANGLES[index]), atol=1e-3)
        assert abs(int(sample.image[5, 5, 0]) - 60 * index) < 4
        assert sample.landmarks_px is None


@pytest.mark.parametrize("kind", ["npy", "columns", "protocol 2", "version 2"])
def test_other_forms_of_the_arrays(root, kind):
    configs = root / "train.configs"
    plain = ThreeDDFALists.open(root)
    whitened = ((vectors() - MEAN) / DEVIATION).astype(np.float32)
    path = configs / "param_all_norm.pkl"
    if kind == "npy":
        path = configs / "parameters.npy"
        np.save(path, whitened)
    elif kind == "columns":  # SynergyNet's file goes on with 40 of texture
        dump(path, np.column_stack([whitened, np.full((3, 40), 9.0)]))
        long = {
            "param_mean": np.append(MEAN, [1] * 40),
            "param_std": np.append(DEVIATION, [1] * 40),
        }
        dump(configs / "param_whitening.pkl", long)
    elif kind == "protocol 2":
        dump(path, whitened, 2)
    else:
        (configs / "param_whitening.pkl").unlink()
        dump(configs / "param_mean_std_62d_120x120.pkl", {"mean": MEAN, "std": DEVIATION})
    filelist = configs / "train_aug_120x120.list.train"
    found = ThreeDDFALists(filelist, path, root / "train_aug_120x120")
    np.testing.assert_array_equal(found.vectors, plain.vectors)


def test_landmarks_are_those_of_3ddfa_s_own_formula(root):
    arrays = basis(root / "train.configs")
    dataset = ThreeDDFALists.open(root)
    rows = arrays["keypoints_sim"]
    for index in range(3):
        vector = dataset.vectors[index].astype(np.float64)
        matrix = vector[:12].reshape(3, 4)
        face = (arrays["u_shp"] + arrays["u_exp"])[rows, 0]
        face = face + arrays["w_shp_sim"][rows] @ vector[12:52]
        face = face + arrays["w_exp_sim"][rows] @ vector[52:]
        wanted = matrix[:, :3] @ face.reshape(3, -1, order="F") + matrix[:, 3:]
        wanted[1] = 120 + 1 - wanted[1]
        np.testing.assert_allclose(dataset[index].landmarks_px, wanted.T, atol=1e-3)
        assert dataset[index].landmarks_px.shape == (68, 3)


def test_broken_rows_and_pictures_are_skipped_and_named(root):
    whitened = ((vectors() - MEAN) / DEVIATION).astype(np.float32)
    whitened[0, 20] = np.nan
    whitened[1, :12] = -MEAN[:12] / DEVIATION[:12]
    dump(root / "train.configs" / "param_all_norm.pkl", whitened)
    dataset = ThreeDDFALists.open(root)
    assert dataset.names == NAMES[1:]
    assert [sample.name for sample in read_samples(dataset)] == [NAMES[2]]
    assert "not finite" in dataset.skipped.reasons[NAMES[0]]
    assert "scale" in dataset.skipped.reasons[NAMES[1]]
    (root / "train_aug_120x120" / NAMES[2]).unlink()
    dataset = ThreeDDFALists.open(root)
    assert list(read_samples(dataset)) == []
    assert len(dataset.skipped) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("param_all_norm.pkl", np.zeros((2, 62), np.float32), "not \\(3, 62 or more\\)"),
        ("param_all_norm.pkl", np.zeros((3, 12), np.float32), "its shape is"),
        ("param_all_norm.pkl", {"a": 1}, "no array"),
        ("param_whitening.pkl", {"param_mean": MEAN}, "param_mean and param_std"),
        ("param_whitening.pkl", {"param_mean": MEAN[:9], "param_std": MEAN}, "62 finite"),
    ],
)
def test_files_that_do_not_fit_are_refused(root, name, content, message):
    dump(root / "train.configs" / name, content)
    with pytest.raises(DataError, match=f"{name}.*{message}"):
        ThreeDDFALists.open(root)


class Hostile:
    def __reduce__(self):
        return (os.system, ("touch hostile",))


def test_hostile_and_damaged_pickles_are_refused_and_nothing_is_run(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = root / "train.configs" / "param_all_norm.pkl"
    whole = path.read_bytes()
    for data in (pickle.dumps(Hostile()), whole[:50], whole[:-9], b"", b"text"):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"param_all_norm\.pkl") as caught:
            ThreeDDFALists.open(root)
        assert "\n" not in str(caught.value)
    np.save(root / "train.configs" / "x.npy", np.array([Hostile()]), allow_pickle=True)
    filelist = root / "train.configs" / "train_aug_120x120.list.train"
    with pytest.raises(DataError, match=r"x\.npy"):
        ThreeDDFALists(filelist, root / "train.configs" / "x.npy", root)
    assert not (tmp_path / "hostile").exists()


def test_missing_files_are_named(root):
    with pytest.raises(DataError, match="splits train, val"):
        ThreeDDFALists.open(root, "test")
    with pytest.raises(DataError, match=r"list\.val"):
        ThreeDDFALists.open(root, "val")
    (root / "train.configs" / "param_whitening.pkl").unlink()
    with pytest.raises(DataError, match=r"param_whitening\.pkl"):
        ThreeDDFALists.open(root)


def test_a_basis_that_does_not_fit_is_refused(root):
    basis(root / "train.configs")
    np.save(root / "train.configs" / "keypoints_sim.npy", np.arange(7, 211))
    with pytest.raises(DataError, match=r"keypoints_sim\.npy.*do not fit"):
        ThreeDDFALists.open(root)


@pytest.mark.parametrize("error", [RecursionError, AttributeError])
def test_errors_of_any_kind_in_a_pickle_s_content_are_one(root, monkeypatch, error):
    def fail(_):
        raise error("deep")

    monkeypatch.setattr(threeddfa, "as_array", fail)
    with pytest.raises(DataError, match="holds no array of numbers"):
        ThreeDDFALists.open(root)


def test_a_header_that_is_no_python_is_refused(root):
    text = b"{'descr': (\n"
    path = root / "train.configs" / "x.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    filelist = root / "train.configs" / "train_aug_120x120.list.train"
    with pytest.raises(DataError, match=r"x\.npy: no readable"):
        ThreeDDFALists(filelist, path, root)


def test_pictures_outside_the_folder_are_not_read(root):
    outside = root / "private.jpg"
    Image.new("RGB", (120, 120)).save(outside)
    filelist = root / "train.configs" / "train_aug_120x120.list.train"
    filelist.write_text(f"{outside}\n../private.jpg\n{NAMES[2]}\n")
    dataset = ThreeDDFALists.open(root)
    assert [sample.name for sample in read_samples(dataset)] == [NAMES[2]]
    assert set(dataset.skipped.reasons) == {str(outside), "../private.jpg"}
    assert all("leads out" in reason for reason in dataset.skipped.reasons.values())
