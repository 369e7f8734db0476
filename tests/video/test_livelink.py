import pytest

from mlanet.morphable import load_model
from mlanet.video.livelink import ANGLES, WEIGHTS, timecode


def test_all_of_arkits_weights_have_a_column():
    assert sorted(WEIGHTS) == sorted(load_model().expression_names)
    assert len(WEIGHTS) + len(ANGLES) == 61


@pytest.mark.parametrize(
    ("time_s", "code"),
    [
        (0.0, "00:00:00:00.000"),
        (1.0 / 30.0, "00:00:00:02.000"),
        (0.999999, "00:00:01:00.000"),
        (3725.5, "01:02:05:30.000"),
        (12.3456, "00:00:12:20.736"),
    ],
)
def test_timecodes_count_sixtieths(time_s, code):
    assert timecode(time_s) == code
