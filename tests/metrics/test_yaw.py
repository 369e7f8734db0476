import math

import numpy as np
import pytest

from mlanet.metrics import YAW_BINS, mean_of_yaw_bins, yaw_bin_index


@pytest.mark.parametrize(
    ("yaw", "name"),
    [
        (0.0, "0-30"),
        (30.0, "0-30"),
        (30.001, "30-60"),
        (60.0, "30-60"),
        (60.001, "60-90"),
        (95.0, "60-90"),
    ],
)
def test_edges_belong_to_the_lower_bin_on_both_sides(yaw, name):
    index = yaw_bin_index(np.array([yaw, -yaw]))
    assert [YAW_BINS[k] for k in index] == [name, name]


def test_each_bin_weighs_the_same():
    yaw = np.array([0.0, 10.0, -20.0, 45.0, -80.0])
    found = mean_of_yaw_bins(np.array([1.0, 2.0, 3.0, 6.0, 10.0]), yaw)
    assert found.bins == {"0-30": 2.0, "30-60": 6.0, "60-90": 10.0}
    assert found.counts == {"0-30": 3, "30-60": 1, "60-90": 1}
    assert found.mean == pytest.approx(6.0)


def test_an_empty_bin_leaves_no_mean():
    found = mean_of_yaw_bins(np.array([1.0, 2.0]), np.array([0.0, 40.0]))
    assert found.bins["30-60"] == 2.0
    assert math.isnan(found.bins["60-90"])
    assert math.isnan(found.mean)


def test_refuses_arrays_of_different_length():
    with pytest.raises((ValueError, TypeError), match=r"yaw angles|mean_of_yaw_bins"):
        mean_of_yaw_bins(np.zeros(2), np.zeros(3))
