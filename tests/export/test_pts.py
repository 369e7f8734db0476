import numpy as np
import pytest

from mlanet.datasets.point_files import read_points
from mlanet.export import write_pts


def test_points_come_back_as_they_were(tmp_path):
    points = np.random.default_rng(0).uniform(0.0, 500.0, (68, 3))
    write_pts(tmp_path / "face.pts", points)
    np.testing.assert_allclose(read_points(tmp_path / "face.pts"), points[:, :2], atol=1e-3)


@pytest.mark.parametrize("points", [np.zeros((67, 2)), np.full((68, 2), np.nan)])
def test_other_points_are_refused(points, tmp_path):
    with pytest.raises(ValueError, match="68 finite"):
        write_pts(tmp_path / "face.pts", points)
    assert list(tmp_path.iterdir()) == []
