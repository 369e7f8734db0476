import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.evaluation.florence_report import FlorenceReport, FlorenceResult
from mlanet.evaluation.florence_scans import ScanPoints
from mlanet.evaluation.report_file import write_pages
from mlanet.evaluation.scan_pages import florence_page, scan_page
from mlanet.evaluation.scan_pictures import COLUMNS, ScanRow
from mlanet.evaluation.scan_report import HeadBaseline, PortraitResult, ScanReport


def florence(values=(1.0, 3.0), skipped=("subject_03: no frontal scan",)):
    results = tuple(
        FlorenceResult(f"subject_{k:02d}", "PTZ-Indoor", 4, 3, v, 2 * v, 3 * v, 4 * v, 0.9, 0.8)
        for k, v in enumerate(values)
    )
    scans = (ScanPoints("subject_00/a.obj", "file", np.diag(np.arange(9.0) * 10)[:, :3]),)
    return FlorenceReport(results, skipped, 7, 12.0, {"mlanet": "1"}, scans, method="ours")


def table(page, title):
    return next(found for found in page.tables if found.title == title)


def test_florence_shows_settings_subjects_scans_and_what_was_left_out():
    page = florence_page(florence())
    assert page.title == "ours on MICC Florence"
    (row,) = table(page, "Mean and deviation over subjects").rows
    assert row[:5] == ("PTZ-Indoor", "2", "2.00 ± 1.41", "4.00 ± 2.83", "6.00 ± 4.24")
    assert row[-2:] == ("0.90 ± 0.00", "0.80 ± 0.00")
    subjects = table(page, "Subjects").rows
    assert [row[:3] for row in subjects] == [
        ("subject_00, PTZ-Indoor", "3 of 4", "1.00"),
        ("subject_01, PTZ-Indoor", "3 of 4", "3.00"),
    ]
    assert table(page, "Scans").rows[0][:2] == ("subject_00/a.obj", "file")
    assert table(page, "Left out").rows == (("subject_03: no frontal scan",),)
    assert ("Frames", "one of 7") in page.facts


def test_a_curve_rises_where_a_subject_lies():
    (plot,) = florence_page(florence()).plots
    assert plot.x_limit >= 3.0
    (line,) = plot.lines
    share = dict(zip(np.round(line.x, 6), line.y, strict=True))
    assert max(y for x, y in share.items() if x < 1.0) == 0.0
    assert {y for x, y in share.items() if 1.0 < x < 3.0} == {0.5}
    assert line.y[-1] == 1.0


def test_a_report_without_results_has_a_page():
    page = florence_page(florence(()))
    assert page.plots == ()
    assert [found.title for found in page.tables] == ["Scans", "Left out"]


def check(values=(1.0, 2.0)):
    results = tuple(
        PortraitResult("a", "scan", yaw, "front", yaw > 30, value, 2 * value, 1.0, 1.0)
        for yaw, value in zip((0.0, 60.0), values, strict=True)
    )
    return ScanReport(results, (HeadBaseline("a", "scan", 4.0),), False, 3.0, {"mlanet": "1"})


def drawn(yaw):
    return ScanRow("a", yaw, "front", (np.full((8, 8, 3), 90, np.uint8),) * len(COLUMNS))


def test_the_check_shows_groups_curves_and_captions():
    page = scan_page(check(), [drawn(0.0), drawn(60.0), drawn(90.0)])
    rows = {row[0]: row[1:] for row in page.tables[0].rows}
    assert rows["all"] == ("2", "1", "1.50", "3.00", "4.00", "62.50", "1.00")
    assert "where they cover alike" in page.tables[0].note
    assert [line.name for line in page.plots[0].lines] == ["reconstructions", "mean face"]
    captions = [row.caption.splitlines() for row in page.grids[0].rows]
    assert captions[0] == ["a", "yaw 0 degrees", "light front", "1.00 mm"]
    assert captions[1][-1] == "2.00 mm, missed"
    assert captions[2][-1] == "light front"  # drawn, but not measured


def test_pages_are_written(tmp_path):
    write_pages(tmp_path / "new", scan_page(check(), [drawn(0.0)]))
    assert "## Groups of portraits" in (tmp_path / "new" / "report.md").read_text()
    text = (tmp_path / "new" / "report.html").read_text()
    assert text.count("data:image/jpeg;base64,") == len(COLUMNS)
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        write_pages(tmp_path / "file", florence_page(florence()))
