import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.evaluation import Predictions

NAMES = ("image00002.jpg", "image00004.jpg")


def arrays(**changed):
    rng = np.random.default_rng(0)
    content = {"names": np.array(NAMES), "landmarks": rng.uniform(0, 100, (2, 68, 2))}
    content |= changed
    return {name: value for name, value in content.items() if value is not None}


def written(path, **changed):
    np.savez(path, **arrays(**changed))
    return path


def test_a_file_comes_back(tmp_path):
    given = Predictions(
        NAMES,
        np.arange(2 * 68 * 3.0).reshape(2, 68, 3),
        angles_deg=np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]),
        vertices=np.ones((2, 5, 3)),
        missed=np.array([False, True]),
        boxes=np.array([[1.0, 2.0, 5.0, 6.0], [0.0, 0.0, 0.0, 0.0]]),
    )
    given.save(tmp_path / "deep" / "p.npz")
    found = Predictions.load(tmp_path / "deep" / "p.npz")
    assert found.names == NAMES
    face = found.face(NAMES[0])
    np.testing.assert_array_equal(face.landmarks_px, given.landmarks[0])
    np.testing.assert_array_equal(face.angles_deg, [1.0, 2.0, 3.0])
    assert face.vertices_px.shape == (5, 3)
    np.testing.assert_array_equal(face.box_px, [1.0, 2.0, 5.0, 6.0])
    assert found.face(NAMES[1]) is None


def test_what_is_optional_may_be_absent(tmp_path):
    face = Predictions.load(written(tmp_path / "p.npz")).face(NAMES[1])
    assert face.angles_deg is None
    assert face.vertices_px is None
    assert face.box_px is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"names": None}, "'names' is missing"),
        ({"landmarks": None}, "'landmarks' is missing"),
        ({"names": np.array(["a", "a"])}, "twice"),
        ({"names": np.array(["a", "b", "c"])}, "differ in length"),
        ({"landmarks": np.zeros((2, 67, 2))}, "shape"),
        ({"landmarks": np.zeros((2, 68, 4))}, "2 or 3"),
        ({"landmarks": np.full((2, 68, 2), np.nan)}, "finite"),
        ({"landmarks": np.full((2, 68, 2), "x")}, "must hold numbers"),
        ({"angles_deg": np.zeros((2, 2))}, "angles_deg"),
        ({"boxes": np.zeros((2, 3))}, "boxes"),
        ({"vertices": np.full((2, 5, 3), np.inf)}, "finite"),
        ({"vertices": np.zeros((1, 5, 3))}, "differ in length"),
        ({"missed": np.array(["False", "False"])}, "truth values"),
        ({"missed": np.array([0.0, 1.0])}, "truth values"),
        ({"landmarks": np.full((2, 68, 2), 1e300)}, "more than 1e"),
        ({"angles_deg": np.full((2, 3), -1e8)}, "more than 1e"),
        ({"landmarks": np.full((2, 68, 2), -(2**63))}, "more than 1e"),
    ],
)
def test_malformed_files_are_refused(tmp_path, changed, message):
    with pytest.raises(DataError, match=message):
        Predictions.load(written(tmp_path / "p.npz", **changed))


def test_every_image_needs_a_row(tmp_path):
    found = Predictions.load(written(tmp_path / "p.npz"))
    found.require([NAMES[1]])
    with pytest.raises(DataError, match=r"lack image00009\.jpg and 0 more"):
        found.require([*NAMES, "image00009.jpg"])


@pytest.mark.parametrize("kind", [bool, np.int8])
def test_rows_of_missed_faces_may_hold_anything(tmp_path, kind):
    landmarks = np.zeros((2, 68, 2))
    landmarks[1] = np.nan
    changed = {"landmarks": landmarks, "angles_deg": np.array([[0, 0, 0], [np.inf] * 3])}
    missed = np.array([0, 1], dtype=kind)
    found = Predictions.load(written(tmp_path / "p.npz", missed=missed, **changed))
    assert found.face(NAMES[0]) is not None
    assert found.face(NAMES[1]) is None
    with pytest.raises(DataError, match="finite"):
        Predictions.load(written(tmp_path / "p.npz", missed=1 - missed.astype(int), **changed))
