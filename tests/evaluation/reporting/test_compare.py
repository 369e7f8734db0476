import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation import Column, Protocol, Report, Table, comparison_page, load_runs
from mlanet.evaluation.florence.report import florence_report
from mlanet.evaluation.florence.scoring import FlorenceFigures, FlorenceResult, FlorenceScores
from mlanet.evaluation.reporting.compare import (
    comparison_plots,
    conditions_table,
    differences_table,
    figures_table,
    versions_table,
)
from mlanet.evaluation.scans.report import scan_report
from mlanet.evaluation.scans.scoring import PortraitResult
from mlanet.metrics import YAW_BINS, yaw_bin_index

NAMES = [f"image{k:05d}.jpg" for k in range(30)]
YAWS = np.linspace(-89, 89, 30)
BINS = [YAW_BINS[k] for k in yaw_bin_index(YAWS)]
NME = Column("nme_2d_68", "%", use="figure", if_missing=100.0, limit=7.0)
DENSE = Column("nme_3d_dense", "%", use="figure")
POSE = Column("pose_mae_deg", use="figure", alike=True)


def rows(*figures, bins=BINS, names=NAMES):
    """A row an image; figures are pairs of column and values."""
    columns = (Column("image", use="case"), Column("bin", use="yaw bin"))
    columns += tuple(column for column, _ in figures)
    values = zip(names, bins, *(v for _, v in figures), strict=True)
    plain = tuple(
        tuple(float(c) if isinstance(c, np.floating) else c for c in row) for row in values
    )
    return Table("images", columns, plain)


def write(folder, errors, method="mlanet", protocol="a protocol", **changed):
    mean = Table(
        "Alignment",
        (Column("|yaw|"), Column("images"), NME),
        (("0-30", 12, 2.5), ("mean", 30, float(np.mean([e for e in errors if e])))),
    )
    given = {"versions": {"mobile": "1"}, "rows": rows((NME, errors)), "tables": (mean,)}
    report = Report(Protocol(protocol, "defined"), method=method, **(given | changed))
    return report.write(folder)[0]


@pytest.fixture
def errors():
    return np.random.default_rng(0).gamma(5.0, 0.6, 30)


def differences(*named):
    """Rows of the table by label."""
    return {row[0]: row[1:] for row in differences_table(load_runs(named)).rows}


def test_runs_side_by_side(tmp_path, errors):
    runs = load_runs([write(tmp_path / "a", errors), write(tmp_path / "b", errors - 0.5)])
    table = figures_table(runs)
    assert table.headings == ("figures", "mlanet (a)", "mlanet (b)")
    assert table.values("figures") == ["0-30: nme_2d_68", "mean: nme_2d_68"]
    assert table.rows[1][1:] == pytest.approx((errors.mean(), errors.mean() - 0.5))
    (row,) = differences_table(runs).rows
    assert row[1:] == (30, "-0.500", "-0.500 to -0.500", "yaw bins")


def test_missed_faces_count_as_100_percent_or_are_left_out_of_both(tmp_path, errors):
    few = [None if k < 3 else e + 1 for k, e in enumerate(errors)]
    files = [
        write(tmp_path / name, errors, name, rows=rows((NME, values), (DENSE, values)))
        for name, values in (("a", errors), ("b", few))
    ]
    found = differences(*files)
    profiles = np.mean([*(100 - errors[:3]), *[1.0] * 7])  # ten faces in each yaw bin
    expected = (profiles + 1.0 + 1.0) / 3
    assert found["b: nme_2d_68"][:2] == (30, f"{expected:+.3f}")
    assert found["b: nme_3d_dense"][:2] == (27, "+1.000")
    note = differences_table(load_runs(files)).note
    assert note.count("A missing") == 1
    assert "A missing nme_2d_68 counts as 100 %." in note


def test_pose_errors_are_compared_over_all_images_alike(tmp_path, errors):
    """As the pose protocol does; two faces lie beyond its range."""
    off = np.where(np.abs(YAWS) > 60, 2.0, 0.5)

    def report(name, pose):
        kept = [None if k in (0, 29) else e for k, e in enumerate(pose)]
        return write(tmp_path / name, errors, name, rows=rows((NME, errors), (POSE, kept)))

    found = differences(report("mlanet", errors), report("other", errors + off))
    figures = (28, f"{off[1:-1].mean():+.3f}")
    assert found["other: pose_mae_deg"][:2] == figures
    assert found["other: pose_mae_deg"][-1] == "all images"
    assert found["other: nme_2d_68"][-1] == "yaw bins"


@pytest.mark.parametrize("bins", [[None] * 30, ["0-30"] * 30, [*BINS[:29], None]])
def test_without_yaw_or_a_bin_means_are_over_all_images(tmp_path, errors, bins):
    slope = errors + np.abs(YAWS)
    found = differences(
        *(write(tmp_path / name, values, name, rows=rows((NME, values), bins=bins))
          for name, values in (("a", errors), ("b", slope)))
    )  # fmt: skip
    difference, over = f"{np.abs(YAWS).mean():+.3f}", "all images"
    assert (found["b: nme_2d_68"][1], found["b: nme_2d_68"][3]) == (difference, over)


def test_a_bin_that_one_figure_leaves_empty(tmp_path, errors):
    few = [None if abs(yaw) > 60 else e for e, yaw in zip(errors, YAWS, strict=True)]
    more = [None if e is None else e + abs(yaw) for e, yaw in zip(few, YAWS, strict=True)]
    files = [
        write(tmp_path / name, errors, name, rows=rows((NME, errors), (DENSE, dense)))
        for name, dense in (("a", few), ("b", more))
    ]
    found = differences(*files)
    near = np.abs(YAWS[np.abs(YAWS) <= 60]).mean()
    assert found["b: nme_3d_dense"][1::2] == (f"{near:+.3f}", "all images")
    assert found["b: nme_2d_68"][3] == "yaw bins"


def test_only_cases_that_both_have_are_compared(tmp_path, errors):
    part = rows((NME, errors[5:] + 1.0), bins=BINS[5:], names=NAMES[5:])
    found = differences(
        write(tmp_path / "a", errors), write(tmp_path / "b", errors, "b", rows=part)
    )
    assert found["b: nme_2d_68"][:2] == (25, "+1.000")
    other = rows((DENSE, errors))
    assert (
        differences(write(tmp_path / "a", errors), write(tmp_path / "c", errors, rows=other)) == {}
    )


def test_versions_and_conditions_of_runs_are_shown(tmp_path, errors):
    versions = {"mlanet": "0.1.0", "mobile": "own.onnx, sha256 12"}
    files = [
        write(tmp_path / "a", errors, versions=versions, conditions={"crop": "detector"}),
        write(tmp_path / "b", errors, conditions={"refined": True, "crop": "ground-truth"}),
    ]
    runs = load_runs(files)
    table = versions_table(runs)
    assert table.rows == (("mlanet", "0.1.0", None), ("mobile", "own.onnx, sha256 12", "1"))
    assert comparison_page(runs).tables[-1] == table
    assert conditions_table(runs).shown == [
        ("crop", "detector", "ground-truth"),
        ("refined", "-", "yes"),
    ]
    bare = [write(tmp_path / name, errors, versions={}) for name in "cd"]
    names = [table.name for table in comparison_page(load_runs(bare)).tables]
    assert names == ["Figures", "Differences"]


def test_reports_without_single_errors(tmp_path, errors):
    runs = load_runs([write(tmp_path / f"{k}", errors, rows=None) for k in range(2)])
    assert differences_table(runs).rows == ()
    assert comparison_plots(runs) == ()
    assert [table.name for table in comparison_page(runs).tables] == ["Figures", "Versions"]


def test_protocols_are_not_mixed(tmp_path, errors):
    files = [write(tmp_path / "a", errors), write(tmp_path / "b", errors, protocol="other")]
    with pytest.raises(DataError, match="different protocols are not compared: a protocol; other"):
        load_runs(files)


def test_figures_of_the_scans_check_are_compared(tmp_path):
    def report(mean, method):
        results = [
            PortraitResult(head, "scan", yaw, "front", False, mean + k, 2 * mean, 4.0, 1.0, 1.0)
            for head in "ab"
            for k, yaw in ((-0.5, 0.0), (0.5, 60.0))
        ]
        return replace(scan_report(results), method=method).write(tmp_path / method)[0]

    runs = load_runs([report(1.0, "ours"), report(2.0, "theirs")])
    table = figures_table(runs)
    shown = {name: figures for name, *figures in table.rows}
    assert shown["all: point_to_plane_mean_mm"] == pytest.approx([1.0, 2.0])
    assert shown["all, |yaw| > 30: gain_percent"] == pytest.approx([62.5, 37.5])
    table = differences_table(runs)
    assert table.headings[:2] == ("minus ours", "heads")
    assert table.rows == (
        ("theirs: point_to_plane_mean_mm", 2, "+1.000", "+1.000 to +1.000", "all heads"),
        ("theirs: point_to_plane_rms_mm", 2, "+2.000", "+2.000 to +2.000", "all heads"),
    )
    assert {plot.y_label for plot in comparison_plots(runs)} == {"share of heads"}


def test_figures_of_florence_are_compared_over_subjects_in_each_setting(tmp_path):
    def report(off, method, subjects):
        results = tuple(
            FlorenceResult(
                name, setting, 4, 3, FlorenceFigures(k + off, 2 * (k + off), 9.0, 2.5, 0.9, 0.9)
            )
            for k, name in enumerate(subjects)
            for setting in ("PTZ-Indoor", "PTZ-Outdoor")
            if (name, setting) != ("b", "PTZ-Outdoor")
        )
        report = florence_report(FlorenceScores(results))
        return replace(report, method=method).write(tmp_path / method)[0]

    runs = load_runs([report(1.0, "ours", "abc"), report(1.5, "theirs", "abcd")])
    shown = {name: figures for name, *figures in figures_table(runs).rows}
    assert shown["point_to_plane_mean_mm: PTZ-Indoor"] == [2.0, 3.0]
    table = differences_table(runs)
    assert table.headings[:2] == ("minus ours", "subjects")
    found = {row[0]: row[1:] for row in table.rows}
    moved = ("+0.500", "+0.500 to +0.500", "all subjects")
    assert found["theirs: PTZ-Indoor point_to_plane_mean_mm"] == (3, *moved)
    assert found["theirs: PTZ-Outdoor point_to_plane_mean_mm"] == (2, *moved)
    assert len(found) == 6
    plots = {plot.x_label: plot for plot in comparison_plots(runs)}
    assert len(plots) == 6
    assert plots["PTZ-Indoor point_to_plane_mean_mm"].x_limit >= 4.5
    outdoor = plots["PTZ-Outdoor point_to_plane_mean_mm"]
    assert [line.y[-1] for line in outdoor.lines] == [1.0, 1.0]


def test_runs_of_one_name_are_told_apart(tmp_path, errors, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = []
    for folder, name in (("", "x"), ("a", "y"), ("b/a", "z")):
        file = write(Path(folder), errors).rename(Path(folder) / f"{name}.json")
        files.append(file)
    names = [run.name for run in load_runs([*files, files[1]])]
    assert names == [
        "mlanet",
        "mlanet (2: a/y.json)",
        "mlanet (b/a/z.json)",
        "mlanet (4: a/y.json)",
    ]
    write(tmp_path / "c", errors, "other")
    assert load_runs([Path("c/report.json"), files[0]])[0].name == "other"


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def column(content):
    return content["rows"]["images"]["columns"]["nme_2d_68"]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("rows"),
        lambda content: content.update(rows=[1.0]),
        lambda content: content.update(versions="1"),
        lambda content: column(content).update(values=5),
        lambda content: column(content).update(values=[1.0]),
        lambda content: column(content).update(values=["2"] * 30),
        lambda content: column(content).update(values=[[2.0]] * 30),
        lambda content: column(content).update(values=[10**400] * 30),
        lambda content: column(content).update(values=[float("nan")] * 30),
        lambda content: column(content).update(digits="many"),
        lambda content: content["rows"]["images"]["columns"]["bin"].update(values=["x"] * 30),
    ],
)
def test_malformed_reports_are_refused(tmp_path, errors, change):
    path = changed(write(tmp_path, errors), change)
    with pytest.raises(DataError, match=r"report\.json: a malformed report\.json"):
        load_runs([path])


def test_reports_of_another_version_are_refused_in_one_line(tmp_path, errors, capsys):
    path = changed(write(tmp_path, errors), lambda content: content.pop("format"))
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "compare", str(path), str(path)])
    assert stop.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"mlanet: {path}: a report.json of another version of mlanet; evaluate again"


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json"):
        load_runs([tmp_path / "x.json"])


def test_curves_of_all_runs_lie_in_one_plot(tmp_path, errors):
    few = [None if k < 3 else e / 2 for k, e in enumerate(errors)]
    runs = load_runs([write(tmp_path / "a", errors), write(tmp_path / "b", few, "other")])
    (plot,) = comparison_plots(runs)
    assert [line.name for line in plot.lines] == ["mlanet", "other"]
    for line, run in zip(plot.lines, (list(errors), few), strict=True):
        for x, y in zip(line.x, line.y, strict=True):
            assert y == pytest.approx(sum(e is not None and e <= x for e in run) / 30)
    assert plot.lines[1].y[-1] == pytest.approx(0.9)  # missed faces lie beyond
    with pytest.raises(DataError, match=r"e.report\.json: a negative nme_2d_68"):
        comparison_plots(load_runs([write(tmp_path / "e", -errors), write(tmp_path / "f", errors)]))


def compare(*words):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "compare", *map(str, words)])
    return stop.value.code


def test_the_command(tmp_path, errors, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    files = [write(tmp_path / "a", errors), write(tmp_path / "b", errors + 0.1, "other")]
    assert compare(*files, "--out", tmp_path / "c.md") == 0
    assert compare(files[0]) == 2
    printed = capsys.readouterr().out
    assert 0 < printed.index("+0.100") < printed.index("Versions")
    assert "| other: nme_2d_68 | 30 | +0.100 |" in (tmp_path / "c.md").read_text()
    page = (tmp_path / "c.html").read_text()
    assert page.count("<polyline") == 2
    assert "+0.100" in page


def test_html_is_never_overwritten_by_markdown(tmp_path, errors):
    files = [write(tmp_path / name, errors, name) for name in "ab"]
    assert compare(*files, "--out", tmp_path / "c.html") == 0
    assert (tmp_path / "c.html").read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "c.md").read_text().startswith("# Runs side by side\n")


def test_narrow_terminals_show_whole_names(tmp_path, errors, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    files = [write(tmp_path / name, errors, f"{name}-of-a-long-name-1234567890") for name in "abc"]
    assert compare(*files) == 0
    printed = capsys.readouterr().out
    assert "nme_2d_68" in printed
    assert "…" not in printed


def test_names_are_no_markup(tmp_path, errors, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert (
        compare(write(tmp_path / "a", errors, "a [/b]"), write(tmp_path / "b", errors, "[red]c"))
        == 0
    )
    printed = capsys.readouterr().out
    assert "a [/b]" in printed
    assert "[red]c" in printed
