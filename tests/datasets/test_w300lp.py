from dataclasses import fields

import numpy as np
import pytest
from scipy.io import savemat

from mlanet.datasets import W300LP, read_samples
from mlanet.errors import DataError
from mlanet.geometry import euler_from_matrix

STEM = "AFW_1051618982_1_0"


def points(seed):
    rng = np.random.default_rng(seed)
    return {
        "pts_2d": rng.uniform(0, 45, (68, 2)).astype(np.float32),
        "pts_3d": rng.uniform(0, 45, (68, 2)),
    }


@pytest.fixture
def root(tmp_path, write_face):
    write_face(tmp_path / "AFW", STEM, 0)
    write_face(tmp_path / "AFW", "AFW_1_1_1", 1)
    write_face(tmp_path / "AFW_Flip", STEM, 2)
    write_face(tmp_path / "IBUG", "IBUG_image_003_1_0", 3)
    for folder, stem, seed in (("AFW", STEM, 0), ("IBUG", "IBUG_image_003_1_0", 3)):
        (tmp_path / "landmarks" / folder).mkdir(parents=True)
        savemat(tmp_path / "landmarks" / folder / f"{stem}_pts.mat", points(seed))
    (tmp_path / "Code").mkdir()
    return tmp_path


def test_pictures_of_all_subsets_with_their_mirrored_ones(root):
    dataset = W300LP(root)
    assert dataset.names == (
        f"AFW/{STEM}.jpg", "AFW/AFW_1_1_1.jpg", f"AFW_Flip/{STEM}.jpg",
        "IBUG/IBUG_image_003_1_0.jpg",
    )  # fmt: skip
    assert len(W300LP(root, flipped=False)) == 3
    assert [sample.name for sample in read_samples(dataset)] == list(dataset.names)
    assert not len(dataset.skipped)


def test_a_sample_holds_what_was_written(root):
    sample = W300LP(root)[0]
    assert sample.image.shape == (45, 60, 3)
    np.testing.assert_allclose(sample.landmarks_px, points(0)["pts_3d"])
    np.testing.assert_allclose(sample.angles_deg, np.degrees([0.1, 0.0, 0.2]), atol=1e-5)
    np.testing.assert_allclose(
        np.degrees(euler_from_matrix(sample.rotation)), sample.angles_deg, atol=1e-9
    )


def test_both_kinds_of_landmarks_and_every_parameter_are_read(root):
    dataset = W300LP(root)
    found = dataset.landmarks(3, width=60)
    np.testing.assert_allclose(found.contour_px, points(3)["pts_2d"])
    parameters = dataset.parameters(3)
    for name in [field.name for field in fields(parameters)]:
        assert (getattr(parameters, name) is None) == (name == "landmarks_px"), name
    assert parameters.points_px.shape == (68, 2)


def test_mirrored_pictures_have_mirrored_landmarks(root):
    found = W300LP(root).landmarks(2, width=60).surface_px
    wanted = points(0)["pts_3d"]
    right_eye, left_eye, chin = 36, 45, 8
    np.testing.assert_allclose(found[left_eye], [61 - wanted[right_eye, 0], wanted[right_eye, 1]])
    np.testing.assert_allclose(found[chin], [61 - wanted[chin, 0], wanted[chin, 1]])


def test_a_landmark_file_of_the_mirrored_picture_is_preferred(root):
    (root / "landmarks" / "AFW_Flip").mkdir()
    savemat(root / "landmarks" / "AFW_Flip" / f"{STEM}_pts.mat", points(9))
    np.testing.assert_allclose(W300LP(root)[2].landmarks_px, points(9)["pts_3d"])


def test_without_a_landmark_file_there_are_no_landmarks(root):
    assert W300LP(root)[1].landmarks_px is None


def test_broken_samples_are_skipped_and_named(root, write_face):
    write_face(root / "AFW", "a_no_mat", 1)
    (root / "AFW" / "a_no_mat.mat").unlink()
    write_face(root / "AFW", "b_no_pose", 1, Pose_Para=None)
    write_face(root / "AFW", "c_nan", 1, Shape_Para=np.full((199, 1), np.nan))
    write_face(root / "AFW", "d_shape", 1, Exp_Para=np.zeros((3, 1)))
    write_face(root / "AFW", "e_cut", 1)
    cut = root / "AFW" / "e_cut.jpg"
    cut.write_bytes(cut.read_bytes()[:200])
    write_face(root / "AFW", "f_points", 1)
    savemat(root / "landmarks" / "AFW" / "f_points_pts.mat", {"pts_2d": np.zeros((68, 2))})
    dataset = W300LP(root)
    assert len(list(read_samples(dataset))) == 4
    reasons = dataset.skipped.reasons
    assert set(reasons) == {
        f"AFW/{stem}.jpg"
        for stem in ("a_no_mat", "b_no_pose", "c_nan", "d_shape", "e_cut", "f_points")
    }
    for stem, word in {
        "a_no_mat": "no .mat", "b_no_pose": "Pose_Para is missing", "c_nan": "not finite",
        "d_shape": "malformed", "e_cut": "damaged", "f_points": "pts_3d is missing",
    }.items():  # fmt: skip
        assert word in reasons[f"AFW/{stem}.jpg"]
    assert dataset.skipped.lines()[0] == "6 broken samples skipped"


def test_a_folder_of_something_else(tmp_path):
    with pytest.raises(DataError, match="none of the folders AFW"):
        W300LP(tmp_path)
    (tmp_path / "AFW").mkdir()
    with pytest.raises(DataError, match="no sample is usable"):
        W300LP(tmp_path)
