import json
from pathlib import Path

import numpy as np
import pytest

from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation import (
    comparison_page,
    differences_table,
    figures_table,
    load_runs,
    versions_table,
)
from mlanet.evaluation.florence_report import FlorenceReport, FlorenceResult
from mlanet.evaluation.scan_report import HeadBaseline, PortraitResult, ScanReport
from mlanet.evaluation.side_by_side import curves

NAMES = [f"image{k:05d}.jpg" for k in range(30)]
YAWS = np.linspace(-89, 89, 30)


def write(folder, errors, method="mlanet", **changed):
    content = {
        "protocol": "AFLW2000-3D nme_2d_68",
        "annotation": "original",
        "method": method,
        "nme_2d_68": {"0-30": 2.5, "mean": float(np.mean([e for e in errors if e]))},
        "dense": None,
        "versions": {"mobile": "1"},
        "per_image": {"name": NAMES, "yaw_deg": list(YAWS), "nme_2d_68": list(errors)},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(content | changed))
    return folder / "report.json"


@pytest.fixture
def errors():
    return np.random.default_rng(0).gamma(5.0, 0.6, 30)


def test_runs_side_by_side(tmp_path, errors):
    runs = load_runs([write(tmp_path / "a", errors), write(tmp_path / "b", errors - 0.5)])
    table = figures_table(runs)
    assert table.columns == ("", "mlanet (a)", "mlanet (b)")
    assert [row[0] for row in table.rows] == ["nme_2d_68 0-30", "nme_2d_68 mean"]
    (row,) = differences_table(runs).rows
    assert row[1:] == ("30", "-0.500", "-0.500 to -0.500")


def test_missed_faces_count_as_100_percent_or_are_left_out_of_both(tmp_path, errors):
    few = [None if k < 3 else e + 1 for k, e in enumerate(errors)]
    tables = [
        {"name": NAMES, "yaw_deg": list(YAWS), "nme_2d_68": list(e), "nme_3d_dense": list(e)}
        for e in (errors, few)
    ]
    runs = load_runs(
        [
            write(tmp_path / "a", errors, per_image=tables[0]),
            write(tmp_path / "b", few, "other", per_image=tables[1]),
        ]
    )
    sparse, dense = differences_table(runs).rows
    profiles = np.mean([*(100 - errors[:3]), *[1.0] * 7])  # ten faces in each yaw bin
    expected = (profiles + 1.0 + 1.0) / 3
    assert sparse[:3] == ("other: nme_2d_68", "30", f"{expected:+.3f}")
    assert dense[:3] == ("other: nme_3d_dense", "27", "+1.000")


def test_pose_errors_are_compared_over_all_images_alike(tmp_path, errors):
    """As the pose protocol does; two faces lie beyond its range."""
    off = np.where(np.abs(YAWS) > 60, 2.0, 0.5)

    def columns(pose):
        kept = [None if k in (0, 29) else e for k, e in enumerate(pose)]
        sparse = {"name": NAMES, "yaw_deg": list(YAWS), "nme_2d_68": list(errors)}
        return sparse | {"pose_mae_deg": kept}

    tables = {"mlanet": columns(errors), "other": columns(errors + off)}
    files = [write(tmp_path / k, errors, k, per_image=table) for k, table in tables.items()]
    table = differences_table(load_runs(files))
    assert table.rows[1][:3] == ("other: pose_mae_deg", "28", f"{off[1:-1].mean():+.3f}")
    assert "Mean of the yaw bins' means." in table.note
    assert "pose_mae_deg over those of the pose protocol alike" in table.note


def test_versions_of_runs_are_shown(tmp_path, errors):
    versions = {"mlanet": "0.1.0", "mobile": "own.onnx, sha256 12"}
    files = [
        write(tmp_path / "a", errors, versions=versions),
        write(tmp_path / "b", errors),
        write(tmp_path / "c", errors, versions="1"),
    ]
    runs = load_runs(files)
    table = versions_table(runs)
    assert table.rows == (
        ("mlanet", "0.1.0", "-", "-"),
        ("mobile", "own.onnx, sha256 12", "1", "-"),
    )
    assert comparison_page(runs).tables[-1] == table
    assert versions_table(runs[2:]) is None


def test_reports_without_single_errors(tmp_path, errors):
    runs = load_runs([write(tmp_path / f"{k}", errors, per_image=None) for k in range(2)])
    assert differences_table(runs) is None


def test_annotations_are_not_mixed(tmp_path, errors):
    files = [write(tmp_path / "a", errors), write(tmp_path / "b", errors, annotation="other")]
    with pytest.raises(DataError, match="different annotations"):
        load_runs(files)


def test_refined_reconstructions_are_compared_with_others_and_shown_as_such(tmp_path, errors):
    files = [write(tmp_path / f"{k}", errors - k, refined=k) for k in (False, True)]
    runs = load_runs(files)
    assert figures_table(runs).rows[0] == ("refined", "no", "yes")
    assert differences_table(runs).rows[0][2] == "-1.000"


def test_figures_of_the_scans_check_are_compared(tmp_path):
    def report(mean, method):
        rows = tuple(
            PortraitResult(head, "scan", yaw, "front", False, mean + k, 2 * mean, 1.0, 1.0)
            for head in "ab"
            for k, yaw in ((-0.5, 0.0), (0.5, 60.0))
        )
        heads = tuple(HeadBaseline(head, "scan", 4.0) for head in "ab")
        return ScanReport(rows, heads, False, 1.0, {}, method).save(tmp_path / method)

    runs = load_runs([report(1.0, "ours"), report(2.0, "theirs")])
    rows = {row[0]: row[1:] for row in figures_table(runs).rows}
    assert rows["groups all point_to_plane_mean_mm"] == ("1", "2")
    assert rows["groups |yaw| > 30 gain_percent"] == ("62.5", "37.5")
    assert not any("per_head" in name for name in rows)
    table = differences_table(runs)
    assert table.columns[:2] == ("minus ours", "heads")
    assert table.rows == (
        ("theirs: point_to_plane_mean_mm", "2", "+1.000", "+1.000 to +1.000"),
        ("theirs: point_to_plane_rms_mm", "2", "+2.000", "+2.000 to +2.000"),
    )
    assert "heads" in table.note
    assert [plot.y_label for plot in curves(runs)] == ["share of heads"]


def test_figures_of_florence_are_compared_over_subjects_in_each_setting(tmp_path):
    def report(off, method, subjects):
        rows = tuple(
            FlorenceResult(name, setting, 4, 3, k + off, 2 * (k + off), 9.0, 2.5, 0.9, 0.9)
            for k, name in enumerate(subjects)
            for setting in ("PTZ-Indoor", "PTZ-Outdoor")
            if (name, setting) != ("b", "PTZ-Outdoor")
        )
        return FlorenceReport(rows, (), 10, 1.0, {}, (), method).save(tmp_path / method)

    runs = load_runs([report(1.0, "ours", "abc"), report(1.5, "theirs", "abcd")])
    rows = {row[0]: row[1:] for row in figures_table(runs).rows}
    assert rows["settings PTZ-Indoor point_to_plane_mean_mm mean"] == ("2", "3")
    assert not any("per_subject" in name for name in rows)
    table = differences_table(runs)
    assert table.columns[:2] == ("minus ours", "subjects")
    assert "subjects" in table.note
    found = {row[0]: row[1:] for row in table.rows}
    moved = ("+0.500", "+0.500 to +0.500")
    assert found["theirs: PTZ-Indoor point_to_plane_mean_mm"] == ("3", *moved)
    assert found["theirs: PTZ-Outdoor point_to_plane_mean_mm"] == ("2", *moved)
    assert len(found) == 6
    plots = curves(runs)
    assert [plot.x_label for plot in plots] == [
        "PTZ-Indoor point_to_plane_mean_mm",
        "PTZ-Outdoor point_to_plane_mean_mm",
    ]
    assert all(plot.y_label == "share of subjects" for plot in plots)
    assert plots[0].x_limit >= 4.5
    assert [line.y[-1] for line in plots[1].lines] == [1.0, 1.0]


def test_groups_of_images_are_no_figures(tmp_path, errors):
    groups = {"pose": {"measure": "|yaw|", "groups": {"0-15": {"nme_2d_68": 3.0}}}}
    runs = load_runs([write(tmp_path / f"{k}", errors, groups=groups) for k in range(2)])
    assert not any("groups" in row[0] for row in figures_table(runs).rows)


def test_how_runs_were_made_is_shown(tmp_path, errors):
    runs = load_runs(
        [
            write(tmp_path / "a", errors, crop="ground-truth", every_nth_frame=10),
            write(tmp_path / "b", errors, crop="detector"),
        ]
    )
    rows = figures_table(runs).rows
    assert rows[:2] == (("crop", "ground-truth", "detector"), ("every_nth_frame", "10", "-"))
    assert [row[0] for row in rows[2:]] == ["nme_2d_68 0-30", "nme_2d_68 mean"]


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


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([1.0], "columns"),
        ({"name": NAMES, "nme_2d_68": 5}, "columns"),
        ({"name": NAMES, "nme_2d_68": [1.0]}, "length"),
        ({"name": ["a", 1], "nme_2d_68": [1.0, 2.0]}, "names"),
        ({"name": ["a", "a"], "nme_2d_68": [1.0, 2.0]}, "names"),
        ({"name": ["a", "b"], "nme_2d_68": [1.0, "2"]}, "numbers or null"),
        ({"name": ["a", "b"], "nme_2d_68": [1.0, True]}, "numbers or null"),
        ({"name": ["a", "b"], "nme_2d_68": [1.0, 10**400]}, "numbers or null"),
        ({"name": ["a", "b"], "nme_2d_68": [1.0, float("nan")]}, "numbers or null"),
    ],
)
def test_malformed_errors_of_images_are_refused(tmp_path, errors, table, message):
    with pytest.raises(DataError, match=rf"report\.json.*{message}"):
        load_runs([write(tmp_path, errors, per_image=table)])


def test_faces_without_yaw_are_compared_all_the_same(tmp_path, errors):
    table = {"name": NAMES, "yaw_deg": [None] * 30, "nme_2d_68": list(errors)}
    runs = load_runs([write(tmp_path / f"{k}", errors, per_image=table) for k in "ab"])
    (row,) = differences_table(runs).rows
    assert row[1:3] == ("30", "+0.000")


def test_the_note_says_what_means_were_taken(tmp_path, errors):
    """Two errors, one of them without any face beyond 60 degrees, so that a bin is empty."""

    def columns(values, yaw=tuple(YAWS)):
        few = [None if abs(y) > 60 else e for e, y in zip(values, YAWS, strict=True)]
        sparse, near = {"nme_2d_68": list(values)}, {"nme_3d_dense": few}
        return {"name": NAMES, "yaw_deg": list(yaw)} | sparse | near

    def differences(first, second):
        named = {"mlanet": first, "other": second}
        files = [write(tmp_path / k, errors, k, per_image=table) for k, table in named.items()]
        return differences_table(load_runs(files))

    slope = errors + np.abs(YAWS)  # means over images and over bins differ
    found = differences(columns(errors), columns(slope))
    near = np.abs(YAWS[np.abs(YAWS) <= 60])
    assert found.rows[1][2] == f"{near.mean():+.3f}"
    assert (
        "Mean of the yaw bins' means; but over all images alike in other: nme_3d_dense, where yaw"
        " angles are unknown or leave a bin empty." in found.note
    )
    unknown = columns(errors, [None] * 30)
    plain = "Mean over all images alike, as yaw angles are unknown or leave a bin empty."
    assert plain in differences(unknown, unknown).note
    del unknown["nme_3d_dense"]
    full = unknown | {"yaw_deg": list(YAWS)}
    assert "Mean of the yaw bins' means." in differences(full, full).note


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}'])
def test_other_files_are_refused(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json"):
        load_runs([tmp_path / "x.json"])


def test_the_command(tmp_path, errors, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    files = [write(tmp_path / "a", errors), write(tmp_path / "b", errors + 0.1, "other")]
    for arguments, status in (([*files, "--out", tmp_path / "c.md"], 0), (files[:1], 2)):
        with pytest.raises(SystemExit) as stop:
            main(["evaluate", "compare", *map(str, arguments)])
        assert stop.value.code == status
    printed = capsys.readouterr().out
    assert 0 < printed.index("+0.100") < printed.index("Versions")
    assert "| other: nme_2d_68 | 30 | +0.100 |" in (tmp_path / "c.md").read_text()
    page = (tmp_path / "c.html").read_text()
    assert page.count("<polyline") == 2
    assert "+0.100" in page


def test_html_is_never_overwritten_by_markdown(tmp_path, errors):
    files = [write(tmp_path / name, errors, name) for name in "ab"]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "compare", *map(str, files), "--out", str(tmp_path / "c.html")])
    assert stop.value.code == 0
    assert (tmp_path / "c.html").read_text().startswith("<!DOCTYPE html>")
    assert (tmp_path / "c.md").read_text().startswith("# Runs side by side\n")


def test_curves_of_all_runs_lie_in_one_plot(tmp_path, errors):
    few = [None if k < 3 else e / 2 for k, e in enumerate(errors)]
    runs = load_runs([write(tmp_path / "a", errors), write(tmp_path / "b", few, "other")])
    (plot,) = curves(runs)
    assert [line.name for line in plot.lines] == ["mlanet", "other"]
    for line, run in zip(plot.lines, (list(errors), few), strict=True):
        for x, y in zip(line.x, line.y, strict=True):
            assert y == pytest.approx(sum(e is not None and e <= x for e in run) / 30)
    assert plot.lines[1].y[-1] == pytest.approx(0.9)  # missed faces lie beyond
    assert curves(load_runs([write(tmp_path / k, errors, per_image=None) for k in "cd"])) == ()
    with pytest.raises(DataError, match=r"e.report\.json: a negative nme_2d_68"):
        curves(load_runs([write(tmp_path / "e", -errors), write(tmp_path / "f", errors)]))


def test_narrow_terminals_show_whole_names(tmp_path, errors, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    files = [write(tmp_path / name, errors, f"{name}-of-a-long-name-1234567890") for name in "abc"]
    with pytest.raises(SystemExit):
        main(["evaluate", "compare", *map(str, files)])
    printed = capsys.readouterr().out
    assert "nme_2d_68" in printed
    assert "…" not in printed


def test_names_are_no_markup(tmp_path, errors, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    files = [write(tmp_path / "a", errors, "a [/b]"), write(tmp_path / "b", errors, "[red]c")]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "compare", *map(str, files)])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "a [/b]" in printed
    assert "[red]c" in printed
