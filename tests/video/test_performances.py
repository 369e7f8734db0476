import csv

import numpy as np
import pytest

from mlanet.errors import DataError, UsageError
from mlanet.geometry import matrix_from_euler, viewer_from_camera
from mlanet.video.livelink import ANGLES, WEIGHTS, timecode
from mlanet.video.performances import calmed, read_performance

NAMES = tuple(sorted(WEIGHTS))


def write_rows(path, codes, weights, angles=None, names=WEIGHTS):
    """`weights` (n, 52) are in the order of `names`; `angles` (n, 9)."""
    header = ["Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in names)]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header + ([] if angles is None else list(ANGLES)))
        for k, code in enumerate(codes):
            writer.writerow([code, 61, *weights[k], *([] if angles is None else angles[k])])
    return path


@pytest.fixture
def weights():
    return np.random.default_rng(0).uniform(size=(4, 52)).round(5)


def test_columns_are_found_by_name_in_any_order(tmp_path, weights):
    """As in the app's files, which begin somewhere in the day; the other way round, too."""
    codes = [f"14:03:52:{20 + k}.207" for k in range(4)]
    angles = np.random.default_rng(1).uniform(-0.5, 0.5, (4, 9)).round(5)
    for step in (1, -1):
        path = write_rows(
            tmp_path / "a.csv", codes, weights[:, ::step], angles, names=WEIGHTS[::step]
        )
        found = read_performance(path, NAMES)
        assert np.allclose(found.times_s, np.arange(4) / 60.0)
        expected = weights[:, [WEIGHTS.index(name) for name in NAMES]]
        assert np.allclose(found.expression, expected)
        turned = viewer_from_camera(matrix_from_euler(angles[:, [1, 0, 2]]))
        assert np.allclose(found.rotation, turned)


def test_angles_that_a_program_counts_the_other_way(tmp_path, weights):
    angles = np.zeros((4, 9))
    angles[:, 0], angles[:, 2] = 0.3, 0.2
    path = write_rows(tmp_path / "a.csv", [timecode(k / 60) for k in range(4)], weights, angles)
    found = read_performance(path, NAMES, flip=("yaw",))
    turned = viewer_from_camera(matrix_from_euler(np.array([0.0, -0.3, 0.2])))
    assert np.allclose(found.rotation, turned)


def test_a_second_of_the_timecode_has_as_many_frames_as_it_shows(tmp_path):
    codes = [f"00:00:{k // 30:02d}:{k % 30:02d}.000" for k in range(75)]
    path = write_rows(tmp_path / "a.csv", codes, np.zeros((75, 52)))
    assert np.allclose(read_performance(path, NAMES).times_s, np.arange(75) / 30.0)
    codes = [timecode(k / 24.0) for k in range(75)]
    path = write_rows(tmp_path / "a.csv", codes, np.zeros((75, 52)))
    assert np.allclose(read_performance(path, NAMES).times_s, np.arange(75) / 24.0, atol=1e-4)


def test_midnight_and_rows_that_come_twice(tmp_path, weights):
    codes = ["23:59:59:58", "23:59:59:59", "23:59:59:59", "00:00:00:00"]
    found = read_performance(write_rows(tmp_path / "a.csv", codes, weights), NAMES)
    assert np.allclose(found.times_s, np.array([0.0, 1.0, 2.0]) / 60.0)
    order = [WEIGHTS.index(name) for name in NAMES]
    assert np.allclose(found.expression, weights[[0, 1, 3]][:, order])
    assert np.allclose(found.rotation, np.eye(3))


def test_other_files_are_refused_in_a_line(tmp_path, weights):
    path = tmp_path / "a.csv"
    path.write_text("frame,jawOpen\n0,0.5\n")
    with pytest.raises(DataError, match="lacks the column Timecode and 51 more"):
        read_performance(path, NAMES)
    write_rows(path, [], weights)
    with pytest.raises(DataError, match="holds no row"):
        read_performance(path, NAMES)
    path.write_text(path.read_text() + "00:00:00:00,61," + ",".join(["x"] * 52) + "\n")
    with pytest.raises(DataError, match="malformed"):
        read_performance(path, NAMES)
    path.write_bytes(bytes(range(256)))
    with pytest.raises(DataError, match="no CSV file"):
        read_performance(path, NAMES)
    with pytest.raises(UsageError, match="neither"):
        read_performance(tmp_path / "a.txt", NAMES)
    with pytest.raises(FileNotFoundError):
        read_performance(tmp_path / "none.csv", NAMES)


def test_tables_are_refused_in_a_line(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet", reason="needs the extra video")
    import pyarrow as pa

    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"time_s": [0.0]}), path)
    with pytest.raises(DataError, match="no Parquet file of mlanet video"):
        read_performance(path, NAMES)
    path.write_text("words")
    with pytest.raises(DataError, match="no Parquet file of mlanet video"):
        read_performance(path, NAMES)


def test_tremble_is_calmed(tmp_path):
    rng = np.random.default_rng(0)
    noisy = 0.3 + 0.02 * rng.normal(size=(60, 52))
    codes = [timecode(k / 30) for k in range(60)]
    found = read_performance(write_rows(tmp_path / "a.csv", codes, noisy), NAMES)
    steady = calmed(found, 0.5)
    assert steady.expression.std(axis=0).mean() < 0.5 * found.expression.std(axis=0).mean()
    assert np.array_equal(calmed(found, 0.0).expression, found.expression)
