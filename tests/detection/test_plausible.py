import numpy as np
import pytest

from mlanet.detection.decoding import Candidates
from mlanet.detection.plausible import are_upright

FACE = Candidates(
    np.array([[100.0, 200.0, 180.0, 310.0]]),
    np.array([[[122.0, 242.0], [160.0, 242.0], [140.0, 263.0], [125.0, 284.0], [157.0, 284.0]]]),
    np.array([0.9]),
)


def test_an_upright_face_is_upright_wherever_it_is():
    assert are_upright(FACE).tolist() == [True]
    assert are_upright(FACE.mapped((0.1, 0.1), (40.0, -7.0))).tolist() == [True]
    assert are_upright(Candidates.none()).tolist() == []


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_face_is_not(turns):
    assert are_upright(FACE.turned_back((400, 300), turns)).tolist() == [False]


def test_points_that_do_not_fit_the_box_are_no_upright_face():
    squeezed = FACE.landmarks.copy()
    squeezed[..., 1] = 262 + 0.6 * (squeezed[..., 1] - 262)
    assert are_upright(Candidates(FACE.boxes, squeezed, FACE.scores)).tolist() == [False]
    low_nose = FACE.landmarks.copy()
    low_nose[0, 2, 1] = 280
    assert are_upright(Candidates(FACE.boxes, low_nose, FACE.scores)).tolist() == [False]
