import numpy as np
import pytest

from mlanet.detection import Detection

BOX = np.array([10.0, 20.0, 40.0, 60.0])
POINTS = np.array([[18.0, 35.0], [32.0, 35.0], [25.0, 43.0], [19.0, 50.0], [31.0, 50.0]])


def test_a_detection_knows_its_size():
    assert Detection(BOX, POINTS, 0.9).size_px == pytest.approx((30 * 40) ** 0.5)


@pytest.mark.parametrize(
    ("box", "points", "score", "reason"),
    [
        (BOX[:3], POINTS, 0.5, "box_px"),
        (BOX, POINTS[:4], 0.5, "landmarks_px"),
        (BOX, POINTS.reshape(-1), 0.5, "landmarks_px"),
        (BOX * np.nan, POINTS, 0.5, "finite"),
        (BOX[[2, 1, 0, 3]], POINTS, 0.5, "empty"),
        (BOX, POINTS, 1.5, "score"),
        (BOX, POINTS, float("nan"), "score"),
    ],
)
def test_impossible_detections_are_refused(box, points, score, reason):
    with pytest.raises((ValueError, TypeError), match=reason):
        Detection(box, points, score)
