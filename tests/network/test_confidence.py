import json

import numpy as np
import pytest

from mlanet.network.confidence import Confidence, LogLogistic

CONFIDENCE = Confidence(landmark=LogLogistic(4.0, 3.0), face=LogLogistic(3.0, 6.0))


def test_the_larger_the_deviation_the_less_sure():
    found = LogLogistic(4.0, 3.0)(np.array([1e-30, 1e-9, 2.0, 4.0, 8.0, 1e30]))
    assert (np.diff(found) <= 0.0).all()
    assert found[3] == pytest.approx(0.5)
    assert found[2] == pytest.approx(1.0 - found[4])
    assert ((found >= 0.0) & (found <= 1.0)).all()


def test_a_face_is_judged_by_the_mean_deviation_of_its_landmarks():
    deviations = np.linspace(1.0, 5.0, 68)
    log_variances = 2.0 * np.log(np.stack([deviations, 2.0 * deviations])).astype(np.float32)
    faces, landmarks = CONFIDENCE.of_faces(log_variances), CONFIDENCE.of_landmarks(log_variances)
    assert faces[0] == pytest.approx(0.5)
    assert faces[1] == pytest.approx(1.0 / (1.0 + 2.0**6))
    assert landmarks.shape == (2, 68)
    assert landmarks[1, 17] == pytest.approx(float(CONFIDENCE.landmark(2.0 * deviations[17:18])[0]))


def test_it_survives_a_file():
    assert Confidence.from_dict(json.loads(json.dumps(CONFIDENCE.as_dict()))) == CONFIDENCE


@pytest.mark.parametrize(
    "change",
    [
        {"within_percent": 3.0},
        {"face": {"even_percent": -1.0, "steepness": 2.0}},
        {"face": {"even_percent": float("nan"), "steepness": 2.0}},
        {"face": {"steepness": 2.0}},
        {"landmark": 3.0},
    ],
)
def test_other_files_are_refused(change):
    with pytest.raises((ValueError, TypeError)):
        Confidence.from_dict(CONFIDENCE.as_dict() | change)
