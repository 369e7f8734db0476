import numpy as np
import pytest

from mlanet.detection import Detection
from mlanet.evaluation.aflw2000.framing import annotated_face

BOX = np.array([10.0, 10.0, 20.0, 20.0])


def detection(left, top, right, bottom):
    return Detection(np.array([left, top, right, bottom], np.float32), np.zeros((5, 2)), 0.9)


def test_the_best_overlap_counts_not_the_largest_or_first_face():
    whole, near, far = detection(0, 0, 40, 40), detection(11, 10, 20, 20), detection(30, 30, 40, 40)
    assert annotated_face([whole, far, near], BOX, 0.3) is near


@pytest.mark.parametrize(("least", "found"), [(0.5, True), (0.51, False)])
def test_too_little_overlap_is_a_missed_face(least, found):
    half = detection(10, 10, 20, 15)  # 50 of 100 square pixels
    assert (annotated_face([half], BOX, least) is half) == found


def test_no_detection_is_a_missed_face():
    assert annotated_face([], BOX, 0.0) is None
