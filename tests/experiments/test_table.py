import json
from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.experiments.measure import AFLW2000Errors, RunResult
from mlanet.experiments.rows import PLAIN, REDUCED, ablation_rows
from mlanet.experiments.table import BEGIN, END, HELD_OUT, make_table, write_block, write_report

ROWS = ablation_rows(REDUCED)
YAWS = np.repeat([0.0, 45.0, 75.0], [30, 9, 3])
HARD = 3.0 + np.random.default_rng(0).random(42)


def result(row, seed, better, *, everywhere=True):
    """Errors that are lower by a constant for each face, and by twice as much in profile."""
    gain = better * np.where(YAWS > 60, 2.0, 1.0)
    errors = AFLW2000Errors(YAWS, {"original": HARD - gain}) if everywhere else None
    return RunResult(row, seed, 1000, 96, 0, 50.0 + seed, None, HARD[:20] - better, errors)


def one_of(table, name):
    (found,) = [row for row in table.rows if row.name == name]
    return found


def test_means_deviations_and_differences():
    gains = {0: 0.1, 1: 0.0, 2: -0.1}
    results = [result(PLAIN, seed, gain) for seed, gain in gains.items()]
    results.append(result("both-supervised", 0, 0.3))
    table = make_table(ROWS, results)
    assert [row.name for row in table.rows] == [PLAIN, "both-supervised"]
    plain, both = table.rows
    assert plain.seeds == (0, 1, 2)
    assert plain.images_per_s == 51.0
    held_out = plain.figures[HELD_OUT]
    assert held_out.mean == pytest.approx(HARD[:20].mean())
    assert held_out.deviation == pytest.approx(0.1)
    assert held_out.to_plain is None
    assert both.figures[HELD_OUT].deviation is None
    difference = both.figures[HELD_OUT].to_plain
    assert (difference.low, difference.mean, difference.high) == pytest.approx((-0.3,) * 3)


def test_aflw2000_is_a_mean_of_its_three_bins():
    table = make_table(ROWS, [result(PLAIN, 0, 0.0), result("fusion-supervised", 0, 0.3)])
    figure = one_of(table, "fusion-supervised").figures["nme_2d_68_original"]
    bins = [(HARD[yaw == YAWS] - 0.3 * (2 if yaw > 60 else 1)).mean() for yaw in (0, 45, 75)]
    assert figure.mean == pytest.approx(np.mean(bins))
    assert figure.to_plain.mean == pytest.approx(-0.4)


def test_a_metric_that_a_run_lacks_is_left_out_of_its_row():
    table = make_table(
        ROWS, [result(PLAIN, 0, 0.0), result("fusion-supervised", 0, 0.3, everywhere=False)]
    )
    assert set(one_of(table, "fusion-supervised").figures) == {HELD_OUT}
    assert one_of(table, PLAIN).figures["nme_2d_68_original"].mean > 0


def test_runs_on_other_images_do_not_mix():
    other = RunResult("both-supervised", 0, 1, 1, 0, 1.0, None, np.ones(21), None)
    with pytest.raises(DataError, match="both-supervised, seed 0: measured on other images"):
        make_table(ROWS, [result(PLAIN, 0, 0.0), other])


def test_runs_of_other_faces_do_not_mix():
    told = {"aflw_train": "1234"}
    first = replace(result(PLAIN, 0, 0.0), data=told)
    silent = result("fusion-supervised", 0, 0.1)
    assert len(make_table(ROWS, [silent, first, replace(silent, data=told)]).rows) == 2
    other = replace(result("both-supervised", 0, 0.3), data={"aflw_train": "5678"})
    with pytest.raises(DataError, match="both-supervised, seed 0: data: other faces than those"):
        make_table(ROWS, [silent, first, other])


def test_runs_of_two_face_models_do_not_mix():
    first = replace(result(PLAIN, 0, 0.0), face_model="open-3")
    second = replace(result("both-supervised", 0, 0.3), face_model="open-3")
    assert len(make_table(ROWS, [first, second]).rows) == 2
    for name, message in (("open-4", "other face models"), (None, "not told")):
        with pytest.raises(DataError, match=f"both-supervised, seed 0: face_model: {message}"):
            make_table(ROWS, [first, replace(second, face_model=name)])


def test_files_say_the_same(tmp_path):
    table = make_table(ROWS, [result(PLAIN, 0, 0.0), result("both-supervised", 0, 0.3)])
    paths = write_report(table, tmp_path)
    assert [path.name for path in paths] == ["table.md", "table.json", "differences.png"]
    assert all(path.stat().st_size > 0 for path in paths)
    text = (tmp_path / "table.md").read_text()
    assert "| both-supervised | coordinate | bottom-up | 1 | 96 | 0 | 1,000 | 50 |" in text
    assert "| both-supervised | -0.300 [-0.300, -0.300] |" in text
    content = json.loads((tmp_path / "table.json").read_text())
    assert content["rows"][1]["figures"][HELD_OUT]["to_plain"]["mean"] == pytest.approx(-0.3)


def test_rows_are_compared_with_plain_and_with_their_reference():
    names = {PLAIN: 0.0, "both-supervised": 0.1, "both-semi": 0.3, "both-semi-flip": 0.7}
    text = make_table(ROWS, [result(name, 0, better) for name, better in names.items()]).markdown()
    assert "| both-semi-flip | -0.700 [-0.700, -0.700] |" in text
    assert "| both-semi-flip − both-semi | -0.400 [-0.400, -0.400] |" in text
    assert "| both-semi − both-supervised | -0.200 [-0.200, -0.200] |" in text
    assert f"− {PLAIN} | -" not in text


def test_a_single_row_makes_a_table_without_a_picture(tmp_path):
    paths = write_report(make_table(ROWS, [result(PLAIN, 0, 0.0)]), tmp_path)
    assert [path.name for path in paths] == ["table.md", "table.json"]
    assert "−" not in paths[0].read_text()


def test_the_block_of_a_page_is_replaced_and_nothing_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write_block(page, "new\n")
    write_block(page, "newer\n")
    assert page.read_text() == f"before\n\n{BEGIN}\nnewer\n{END}\n\nafter\n"


@pytest.mark.parametrize("text", ["nothing", BEGIN, f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_the_marks_is_refused(tmp_path, text):
    page = tmp_path / "page.md"
    page.write_text(text)
    with pytest.raises(DataError, match=r"page\.md: needs the lines"):
        write_block(page, "new")
    assert page.read_text() == text
