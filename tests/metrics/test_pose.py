import math

import numpy as np
import pytest

from mlanet.metrics import head_pose_mae, within_pose_range


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
