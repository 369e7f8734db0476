import json

import numpy as np
import pytest

from mlanet.evaluation.aflw2000.confidence import (
    OF_FACES,
    OF_LANDMARKS,
    confidence_tables,
    reliability_plots,
)
from mlanet.evaluation.aflw2000.report import aflw2000_report
from mlanet.evaluation.aflw2000.results import ImageResult


def result(number, errors, confidence, landmark_confidence):
    return ImageResult(
        name=f"image{number:05d}.jpg",
        yaw_deg=0.0,
        nme_2d_68=float(np.mean(errors)),
        angles_deg=None,
        true_angles_deg=np.zeros(3),
        landmark_errors=np.asarray(errors, float),
        confidence=confidence,
        landmark_confidence=np.asarray(landmark_confidence, float),
    )


@pytest.fixture
def rated():
    """Of four faces three are right; the surer, the smaller the error."""
    return [
        result(k, np.full(68, error), sure, np.full(68, sure))
        for k, (error, sure) in enumerate([(2.0, 0.95), (3.0, 0.92), (4.0, 0.71), (8.0, 0.22)])
    ]


def missed():
    return ImageResult("image9.jpg", 0.0, None, None, np.zeros(3))


def test_the_table_says_how_often_confidence_is_right(rated):
    table, landmarks = confidence_tables({"clean": [*rated, missed()], "none": [missed()]})
    assert confidence_tables({"none": [missed()]}) == ()
    assert [row[0] for row in table.rows] == ["clean"]
    assert table.value("clean", "number") == 4
    assert table.value("clean", "confidence") == pytest.approx(0.7)
    assert table.value("clean", "share within") == 0.75
    expected = (2 * (1 - 0.935) + (1 - 0.71) + 0.22) / 4
    assert table.value("clean", "calibration error") == pytest.approx(expected)
    assert table.value("clean", "rank correlation") == pytest.approx(1.0)
    assert landmarks.value("clean", "share within") == 0.75
    assert 0.22 < table.value("clean", "a twentieth below") < 0.71
    assert 0.92 < table.value("clean", "a twentieth above") < 0.95


def test_landmarks_are_judged_one_by_one():
    half = np.arange(68) < 34
    errors, sure = np.where(half, 1.0, 9.0), np.where(half, 0.9, 0.2)
    faces, landmarks = confidence_tables({"all": [result(0, errors, 0.5, sure)] * 3})
    assert landmarks.value("all", "share within") == 0.5
    assert landmarks.value("all", "calibration error") == pytest.approx(0.15)
    assert landmarks.value("all", "rank correlation") == pytest.approx(1.0)
    assert faces.value("all", "rank correlation") is None  # all faces alike


def test_a_report_has_it_where_the_method_says(rated):
    report = aflw2000_report(rated, "original", "ground-truth")
    for name in (OF_FACES, OF_LANDMARKS):
        assert report.table(name).value("all", "number") == 4
    assert [plot.title for plot in report.plots][1:] == ["Reliability of the confidence"]
    assert "Reliability of the confidence" in "".join(t.title for t in report.page.plots)
    json.dumps(report.as_dict(), allow_nan=False)
    quiet = aflw2000_report([missed()], "original", "ground-truth")
    assert not {OF_FACES, OF_LANDMARKS} & {table.name for table in quiet.tables}
    assert len(quiet.plots) == 1


def test_the_curve_passes_the_parts_means(rated):
    (plot,) = reliability_plots(rated)
    faces = next(line for line in plot.lines if line.name == "faces")
    assert faces.x == pytest.approx([0.22, 0.71, 0.935])
    assert faces.y == pytest.approx([0.0, 1.0, 1.0])
