import json

import pytest

from mlanet.errors import DataError
from mlanet.training.journal import METRICS, Journal


def steps(folder):
    return [json.loads(line)["step"] for line in (folder / METRICS).read_text().splitlines()]


def test_a_run_that_goes_on_takes_no_step_twice(tmp_path):
    with Journal.open(tmp_path) as journal:
        for step in (20, 40, 60):
            journal.record(step, {"loss": 1.0})
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 80, "lo')  # killed while it wrote
    with Journal.open(tmp_path, step=40) as journal:
        assert steps(tmp_path) == [20, 40]
        journal.record(60, {"loss": 0.5})
    assert steps(tmp_path) == [20, 40, 60]


def test_a_run_that_starts_anew_keeps_nothing(tmp_path):
    (tmp_path / METRICS).write_text('{"step": 20}\n[1]\n')
    with Journal.open(tmp_path):
        assert steps(tmp_path) == []


def test_a_journal_that_is_no_text_is_named(tmp_path):
    (tmp_path / METRICS).write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=METRICS), Journal.open(tmp_path):
        pass
