import math

import numpy as np
import pytest

from mlanet.metrics import (
    YAW_BINS,
    head_pose_mae,
    mean_of_yaw_bins,
    within_pose_range,
    yaw_bin_index,
)


def test_means_are_absolute_and_by_angle():
    truth = np.array([[0.0, 10.0, -5.0], [4.0, -90.0, 99.0]])
    found = head_pose_mae(truth + np.array([[1.0, -2.0, 3.0], [-3.0, 4.0, -5.0]]), truth)
    assert (found.pitch, found.yaw, found.roll) == (2.0, 3.0, 4.0)
    assert found.mean == pytest.approx(3.0)
    assert found.images == 2


def test_faces_beyond_99_degrees_are_left_out_by_their_truth_alone():
    truth = np.array([[0.0, 0.0, 0.0], [99.5, 0.0, 0.0], [0.0, 0.0, -120.0]])
    predicted = np.array([[150.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    assert within_pose_range(truth).tolist() == [True, False, False]
    found = head_pose_mae(predicted, truth)
    assert (found.pitch, found.images) == (150.0, 1)


def test_no_face_has_no_mean():
    found = head_pose_mae(np.zeros((0, 3)), np.zeros((0, 3)))
    assert found.images == 0
    assert math.isnan(found.mean)


def test_refuses_other_shapes():
    with pytest.raises((ValueError, TypeError), match=r"expected|head_pose_mae"):
        head_pose_mae(np.zeros((2, 3)), np.zeros((3, 3)))


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
