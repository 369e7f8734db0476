import json
from dataclasses import asdict, replace

import pytest

from mlanet.cli import run
from mlanet.experiments import running
from mlanet.experiments.rows import PLAIN
from mlanet.experiments.table import BEGIN, END

ROWS = (PLAIN, "both-semi-flip")


@pytest.fixture(scope="module")
def settings(tiny, tmp_path_factory):
    path = tmp_path_factory.mktemp("settings") / "tiny.json"
    path.write_text(json.dumps(asdict(replace(tiny, steps=2))))
    return path


def test_rows_are_run_once_and_told_of_in_a_table(
    data, aflw2000, settings, tmp_path, capsys, monkeypatch
):
    page, out = tmp_path / "page.md", tmp_path / "out"
    page.write_text(f"{BEGIN}\n{END}\n")
    common = ("ablate", "--config", settings)
    given = (*common, "--data", data, "--out", out, "--aflw2000", aflw2000, "--rows", *ROWS)

    def ablate(*words):
        return run([str(word) for word in words])

    assert ablate(*given, "--dry-run") == 0
    plan = capsys.readouterr().out
    assert [line.split()[0] for line in plan.splitlines()[:4]] == [
        f"{PLAIN}-seed0",
        "both-semi-flip-seed0",
        f"{PLAIN}-seed1",
        f"{PLAIN}-seed2",
    ]
    assert "fewer than 150,000 labelled crops a row: 8" in plan
    assert not out.exists()

    assert ablate(*given, "--write-docs", page) == 0
    table = (out / "table.md").read_text()
    assert table in capsys.readouterr().out
    assert table in page.read_text()
    assert f"| {PLAIN} | none | none | 3 | 8 | 0 |" in table

    def never(*arguments, **options):
        raise AssertionError("trained again")

    monkeypatch.setattr(running, "train", never)
    assert ablate(*given) == 0
    assert (out / "table.md").read_text() == table
    assert ablate(*given, "--dry-run") == 0
    assert "new" not in capsys.readouterr().out.split("written")[-1]

    # Results alone, as they may be kept in a repository, make the same table and page.
    kept = tmp_path / "kept"
    for path in out.glob("*/result.json"):
        (kept / path.parent.name).mkdir(parents=True)
        (kept / path.parent.name / path.name).write_bytes(path.read_bytes())
    page.write_text(f"{BEGIN}\n{END}\n")
    assert ablate(*common, "--out", kept, "--table", "--write-docs", page) == 0
    assert (kept / "table.md").read_text() == table
    assert (kept / "table.json").read_bytes() == (out / "table.json").read_bytes()
    assert table in page.read_text()
