import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.labelling.teacher import INNER, JAW, LIDS, Teacher

NAMES = ["a", "b", "c"]
INDEX = sorted({*JAW, *INNER, *(k for side in LIDS.values() for part in side for k in part)})


def test_the_teachers_answers_are_read_by_name(tmp_path, save_answers):
    points = np.zeros((3, len(INDEX), 2), np.int16)
    for side, (_, lower, corners) in LIDS.items():
        points[:, [INDEX.index(k) for k in lower], 1] = 32 if side == "Left" else 64
        points[:, INDEX.index(corners[1]), 0] = 320
    scores = np.array([[0.25], [np.nan], [0.5]], np.float16)
    save_answers(tmp_path / "a.npz", NAMES, np.zeros((3, 68, 2)), points=points, blendshapes=scores)
    found = Teacher.load(tmp_path / "a.npz", ["c", "a"])
    assert found.landmarks_px.shape == (2, 68, 2)
    np.testing.assert_allclose(found.lid_opening["Left"], 0.1)
    np.testing.assert_allclose(found.lid_opening["Right"], 0.2)
    np.testing.assert_allclose(found.blend_shapes["jawOpen"], [0.5, 0.25])
    np.testing.assert_allclose(found.only(np.array([1])).blend_shapes["jawOpen"], [0.25])


def test_answers_that_do_not_fit_are_refused(tmp_path, save_answers):
    path, none = tmp_path / "a.npz", np.zeros((3, 68, 2))
    save_answers(path, NAMES, none, index=range(5))
    with pytest.raises(DataError, match="lacks the points"):
        Teacher.load(path, NAMES)
    save_answers(path, NAMES, none)
    with pytest.raises(DataError, match="d: named 1 times, but 0 times in"):
        Teacher.load(path, ["d"])
    save_answers(path, NAMES, none, blendshape_names=np.array(["jawOpen", "mouthPucker"]))
    with pytest.raises(DataError, match="more or fewer"):
        Teacher.load(path, NAMES)


def test_a_silent_teacher_found_nothing():
    silent = Teacher.silent(4)
    assert not silent.found.any()
    assert silent.landmarks_px.shape == (4, 68, 2)
