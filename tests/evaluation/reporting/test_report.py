"""A protocol from outside of the package: it scores, and the report does the rest."""

import csv
from dataclasses import dataclass, replace

import numpy as np
import pytest
from PIL import Image

from mlanet.cli import main
from mlanet.errors import DataError
from mlanet.evaluation import Column, Protocol, Report, Table
from mlanet.evaluation.reporting import PictureGrid, PictureRow, cumulative_plot
from mlanet.evaluation.reporting.page import print_page


@dataclass(frozen=True)
class Guess:
    """One picture: its true and its guessed brightness."""

    picture: str
    lamp: str
    true: float
    guessed: float | None


def score(guesser):
    rng = np.random.default_rng(0)
    return [
        Guess(f"p{k}", lamp, true, guesser(true))
        for lamp in ("day", "night")
        for k, true in enumerate(rng.uniform(0.2, 0.8, 12))
    ]


def brightness_report(guesses):
    errors = {g: None if g.guessed is None else abs(g.guessed - g.true) for g in guesses}
    error = Column("brightness_error", "%", use="figure", if_missing=1.0, limit=1.0)
    rows = Table(
        "pictures",
        (Column("picture", use="case"), Column("lamp", use="group"), error),
        tuple((g.picture, g.lamp, errors[g]) for g in guesses),
        brief=False,
    )
    counted = {g: 1.0 if e is None else e for g, e in errors.items()}
    lamps = {lamp: [counted[g] for g in guesses if g.lamp == lamp] for lamp in ("day", "night")}
    mean = Table(
        "Brightness",
        (Column("lamp"), Column("pictures"), error),
        tuple((lamp, len(values), float(np.mean(values))) for lamp, values in lamps.items()),
        "A missing guess counts as 1.",
    )
    plots = cumulative_plot("brightness_error", "pictures", lamps, 1.0)
    protocol = Protocol("brightness of pictures", "mean absolute error")
    return Report(protocol, rows, (mean,), plots=plots)


@pytest.fixture
def report():
    tile = np.full((8, 8, 3), 90, np.uint8)
    grid = PictureGrid(
        "Pictures", ("photo", "same"), (PictureRow("p0", (tile, tile)),) * 3, "", "p.png"
    )
    found = brightness_report(score(lambda true: true + 0.1))
    return replace(
        found, method="ours", versions={"a": "1"}, conditions={"fast": True}, pictures=(grid,)
    )


def test_it_is_written_and_read_back(report, tmp_path):
    written = report.write(tmp_path / "deep")
    names = ["report.json", "report.md", "report.html", "pictures.csv", "p.png"]
    assert [path.name for path in written] == names
    assert set(written) == set((tmp_path / "deep").iterdir())
    again = Report.read(written[0])
    for field in ("protocol", "method", "versions", "conditions", "rows", "tables"):
        assert getattr(again, field) == getattr(report, field)
    with (tmp_path / "deep" / "pictures.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["brightness_error"]) for row in rows] == report.rows.values(
        "brightness_error"
    )
    assert "| night | 12 | 0.100 |" in written[1].read_text()
    page = written[2].read_text()
    assert page.count("<polyline") == 2
    assert page.count("<img") == 6
    assert np.asarray(Image.open(written[4])).shape == (24, 16, 3)


def test_it_prints_what_is_brief(report, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    print_page(report.page)
    printed = capsys.readouterr().out
    for text in ("ours: brightness of pictures", "fast: yes", "0.100", "counts as 1"):
        assert text in printed
    assert "p11" not in printed


def test_few_single_results_are_on_the_page_and_many_are_not(report):
    assert [table.name for table in report.page.tables] == ["Brightness", "pictures"]
    many = replace(report.rows, rows=report.rows.rows * 20)
    assert [table.name for table in replace(report, rows=many).page.tables] == ["Brightness"]


def test_two_runs_of_it_are_compared(report, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    worse = brightness_report(score(lambda true: None if true > 0.7 else true + 0.3))
    worse.write(tmp_path / "b")
    report.write(tmp_path / "a")
    files = [str(tmp_path / name / "report.json") for name in "ab"]
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", "compare", *files])
    assert stop.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    for lamp in ("day", "night"):
        (line,) = [line for line in lines if line.startswith(f"mlanet: {lamp} brightness_error")]
        errors = [1.0 if g.guessed is None else 0.3 for g in score(lambda t: None if t > 0.7 else t)
                  if g.lamp == lamp]  # fmt: skip
        assert f"{np.mean(errors) - 0.1:+.3f}" in line


def test_a_folder_in_the_way_is_one_error(report, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="the report cannot be written"):
        report.write(tmp_path / "file")
