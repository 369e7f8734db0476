import json

import numpy as np
import pytest

from mlanet.datasets.point_files import read_points
from mlanet.errors import DataError

POINTS = np.arange(136.0).reshape(68, 2) + 10.0


def pts(points, count=68):
    rows = "\n".join(f"{x} {y}" for x, y in points)
    return f"version: 1\nn_points: {count}\n{{\n{rows}\n}}\n"


def test_pts_count_pixels_from_one(tmp_path):
    path = tmp_path / "a.pts"
    path.write_text(pts(POINTS))
    np.testing.assert_allclose(read_points(path), POINTS - 0.5)


def test_arrays_and_lists_are_read_as_they_are(tmp_path):
    np.save(tmp_path / "a.npy", np.column_stack([POINTS, POINTS[:, :1]]))
    np.testing.assert_array_equal(read_points(tmp_path / "a.npy")[:, :2], POINTS)
    for content in (POINTS.tolist(), {"landmarks_px": POINTS.tolist()}):
        (tmp_path / "a.json").write_text(json.dumps(content))
        np.testing.assert_array_equal(read_points(tmp_path / "a.json"), POINTS)


def test_points_that_are_not_visible_are_nan(tmp_path):
    points = POINTS.copy()
    points[3], points[5, 0] = -1.0, np.nan
    (tmp_path / "a.pts").write_text(pts(points))
    hidden = np.isnan(read_points(tmp_path / "a.pts")).all(axis=1)
    assert np.flatnonzero(hidden).tolist() == [3, 5]
    rows = [None if k == 7 else row for k, row in enumerate(POINTS.tolist())]
    rows[7] = [None, None]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert np.flatnonzero(np.isnan(read_points(tmp_path / "a.json")[:, 0])).tolist() == [7]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.pts", pts(POINTS[:5], 5), r"\(5, 2\)"),
        ("a.pts", pts(POINTS[:5]), "announces 68"),
        ("a.pts", "hello", "not a .pts file"),
        ("a.pts", pts(POINTS).replace("11.0", "x"), "not a file of 68 points"),
        ("a.json", "[[1, 2]", "not a file of 68 points"),
        ("a.json", '{"other": 1}', "landmarks_px"),
        ("a.json", "[" * 5000 + "]" * 5000, "nested"),
        ("a.json", json.dumps((1e300 * POINTS).tolist()), "in no picture"),
        ("a.pts", pts(POINTS, "9" * 5000), "a file of 68 points"),
        ("a.npy", "text", "not a file of 68 points"),
        ("a.txt", "1 2", ".pts, .npy, .json"),
    ],
)
def test_bad_files_are_one_clear_line(tmp_path, name, content, words):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words) as error:
        read_points(tmp_path / name)
    assert "\n" not in str(error.value)
    assert name in str(error.value)


def test_files_of_windows_and_of_cameras(tmp_path):
    """A byte-order mark, a suffix in capitals."""
    for name in ("a.pts", "b.PTS"):
        (tmp_path / name).write_text("\ufeff" + pts(POINTS), encoding="utf-8")
        np.testing.assert_allclose(read_points(tmp_path / name), POINTS - 0.5)
    (tmp_path / "a.JSON").write_text("\ufeff" + json.dumps(POINTS.tolist()), encoding="utf-8")
    np.testing.assert_array_equal(read_points(tmp_path / "a.JSON"), POINTS)


def test_a_header_that_is_no_python(tmp_path):
    content = b"\x93NUMPY\x01\x00\x10\x00" + b"(((((((((((((((\n"
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(DataError, match="not a file of 68 points"):
        read_points(tmp_path / "a.npy")
