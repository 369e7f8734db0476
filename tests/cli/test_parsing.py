"""Words that fit no option end in one line that says what was meant."""

import io
import os
import sys
from typing import Annotated

import pytest
import tyro

from mlanet import cli
from mlanet.cli.parsing import call, parse

WRONG = [
    ("reconstruct a.jpg --textur", "reconstruct has no option --textur; did you mean --texture?"),
    ("reconstruct a.jpg --same_persn", "reconstruct has no option --same-persn; did you mean "),
    ("reconstruct --xyzzy a.jpg", "has no option --xyzzy; mlanet reconstruct --help tells more"),
    ("reconstruct a.jpg -x", "reconstruct has no option -x; "),
    ("reconstruct a.jpg -o", "--out needs a value; "),
    ("reconstruct a.jpg --texture lid", "--texture takes lit, delit or both, not 'lid'; did you"),
    ("reconstruct a.jpg --texture-size 1.5", "--texture-size takes a whole number, not '1.5'"),
    ("reconstruct a.jpg --min-score=x", "--min-score takes a number, not 'x'"),
    ("demo 8000", "demo does not know what to do with 8000; mlanet demo --help tells more"),
    ("view", "view needs FILE; mlanet view --help tells more"),
    ("animate", "animate needs AVATAR and --driver PATH; "),
    ("export --chekpoint a", "export has no option --chekpoint; did you mean --checkpoint?"),
    ("models convert a", "models convert needs --out PATH; mlanet models convert --help"),
    ("train --data a --out b --lerning-rate 1", "no option --lerning-rate; did you mean --learn"),
    ("train --data a --config", "--config needs a value; mlanet train --help tells more"),
    ("evaluate compare --ot a", "evaluate compare has no option --ot; did you mean --out?"),
]


@pytest.mark.parametrize("columns", ["40", "300"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize(("words", "said"), WRONG, ids=[words for words, _ in WRONG])
def test_wrong_words_end_in_one_line(monkeypatch, capsys, encoding, columns, words, said):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    with pytest.raises(SystemExit) as stop:
        cli.main(words.split())
    captured = capsys.readouterr()
    assert stop.value.code == 2
    (line,) = captured.err.splitlines()
    assert line.startswith("mlanet: ")
    assert said in line


@pytest.mark.parametrize("name", sorted(cli.verbs()))
def test_every_verb_says_which_option_it_lacks(capsys, name):
    with pytest.raises(SystemExit) as stop:
        cli.main([*name.split(), "--xyzzy"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"mlanet: {name} has no option --xyzzy; mlanet {name} --help tells more"


def test_a_verb_runs_with_what_was_parsed():
    def verb(photo: Annotated[str, tyro.conf.Positional], /, *, number: int = 2) -> int:
        assert photo == "a"
        return number

    assert call(verb, "mlanet try", ["a"]) == 2
    assert call(verb, "mlanet try", ["--number", "3", "a"]) == 3


def test_words_that_fit_are_parsed_and_the_terminal_keeps_its_width(monkeypatch):
    def verb(number: int, name: str = "a") -> tuple[int, str]:
        return number, name

    monkeypatch.setenv("COLUMNS", "77")
    assert parse(verb, "mlanet try", ["--number", "-3"]) == (-3, "a")
    assert os.environ["COLUMNS"] == "77"
    monkeypatch.delenv("COLUMNS")
    parse(verb, "mlanet try", ["--number", "3"])
    assert "COLUMNS" not in os.environ
