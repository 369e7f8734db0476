"""Whatever happens in a verb, the user reads one line and gets a status."""

import ast
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from mlanet import cli
from mlanet.assets import verified_path
from mlanet.cli.listing import FIRST
from mlanet.errors import DataError, UsageError

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="no such devices or signals")


class MlanetOwnWarning(UserWarning):
    __module__ = "mlanet.errors"


def run(monkeypatch, verb, *words):
    monkeypatch.setattr(cli, "verbs", lambda: {"try": verb})
    with pytest.raises(SystemExit) as stop:
        cli.main(["try", *words])
    return stop.value.code


def raising(error):
    def verb() -> int:
        raise error

    return verb


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (DataError("a.npz: damaged"), 1, "a.npz: damaged"),
        (UsageError("--out is missing"), 2, "--out is missing"),
        (OSError(28, "No space left on device", "out/a"), 1, "out/a: No space left on device"),
        (RecursionError("too deep"), 1, "unexpected RecursionError: it is nested too deeply"),
        (MemoryError(), 1, "not enough memory"),
        (SystemError("bad\ncall"), 1, "unexpected SystemError: bad call"),
        (DataError("a\x1b[2J\n\u202eb.jpg: damaged"), 1, r"a\x1b[2J\n\u202eb.jpg: damaged"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_is_one_line(monkeypatch, capsys, error, status, line):
    assert run(monkeypatch, raising(error)) == status
    assert capsys.readouterr().err == f"mlanet: {line}\n"


@pytest.mark.parametrize("words", [["--debug"], ["--debug", "--debug"]])
def test_debug_shows_the_traceback(monkeypatch, capsys, words):
    assert run(monkeypatch, raising(ZeroDivisionError("by zero")), *words) == 1
    first, *rest = capsys.readouterr().err.splitlines()
    assert first == "mlanet: unexpected ZeroDivisionError: by zero"
    assert rest[0].startswith("Traceback")
    assert "test_main.py" in "".join(rest)


def test_other_libraries_are_not_heard_and_ours_is_a_line(monkeypatch, capsys):
    def verb() -> int:
        warnings.warn("invalid value in divide", RuntimeWarning, stacklevel=1)
        warnings.warn("a.jpg: has no end", MlanetOwnWarning, stacklevel=1)
        logging.getLogger("PIL").warning("malformed MPO")
        return 0

    assert run(monkeypatch, verb) == 0
    assert capsys.readouterr().err == "mlanet: a.jpg: has no end\n"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["reconstuct", "a.jpg"], "did you mean reconstruct?"),
        (["evalute"], "did you mean evaluate?"),
        (["evaluate", "aflw"], "did you mean aflw2000?"),
        (["models", "lst"], "did you mean list?"),
        ([verified_path("example-image")], "did you mean: mlanet reconstruct "),
        (["face.jpg"], "did you mean: mlanet reconstruct face.jpg?"),
        (["my face.png"], "did you mean: mlanet reconstruct 'my face.png'?"),
        (["holiday/*"], "did you mean: mlanet reconstruct 'holiday/*'?"),
        (["--example", "reconstruct"], "a verb comes first"),
        (["xyzzy"], "there is no verb 'xyzzy'; mlanet --help lists all"),
    ],
)
def test_mistyped_verbs(words, hint, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([str(word) for word in words])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert hint in line


def test_the_list_of_verbs_fits_on_a_screen_and_begins_with_photos(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    photos, research = text.index("For your photos"), text.index("For research")
    where = {name.split()[0]: text.index(f"\n  {name.split()[0]} ") for name in cli.verbs()}
    for name, place in where.items():
        assert (place < research) == (name in FIRST), name
    assert photos < where["reconstruct"] == min(where.values())


def test_without_a_verb_the_list_is_on_standard_error(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main([])
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "reconstruct" in captured.err


@pytest.mark.parametrize("words", [["-V"], ["version"], ["--version"]])
def test_the_version_is_asked_for_in_any_of_the_usual_ways(words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("mlanet ")


@pytest.mark.parametrize("words", [["help", "view"], ["view", "--help"], ["view", "-h"]])
def test_help_is_broken_by_its_columns_alone(words, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "(default: " not in text  # of what is off, or nothing, without the option
    assert "None" not in text
    assert "where it is, and others" in text  # the docstring has a break there


def test_help_without_a_verb_lists_all(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["help"])
    assert stop.value.code == 0
    assert "For your photos" in capsys.readouterr().out


def test_a_group_lists_its_verbs(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["models", "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for name in ("list", "info", "convert", "sheet", "verify"):
        assert f"\n  {name} " in text


def test_debug_shows_what_the_library_logs(monkeypatch, capsys):
    def verb() -> int:
        logging.getLogger("mlanet.reconstructor").debug("three faces")
        logging.getLogger("PIL").debug("chunk")
        return 0

    assert run(monkeypatch, verb) == 0
    assert capsys.readouterr().err == ""
    assert run(monkeypatch, verb, "--debug") == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("ms mlanet.reconstructor: three faces")


def test_the_library_does_not_print():
    root = Path(cli.__file__).parents[1]
    printing = [
        path.relative_to(root).parts[0]
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert set(printing) == {"cli"}


def process(*words, **options):
    return subprocess.run(
        [sys.executable, "-m", "mlanet", *map(str, words)],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        **options,
    )


@POSIX
def test_a_full_standard_output_is_not_the_photos_fault(tmp_path):
    photos = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in photos:
        path.write_bytes(verified_path("example-image").read_bytes())
    with Path("/dev/full").open("w") as full:
        done = process("reconstruct", *photos, "--out", tmp_path / "out", stdout=full)
        assert process("models", "list", stdout=full).stderr == done.stderr
    assert done.returncode == 1
    assert done.stderr == "mlanet: cannot write to standard output: No space left on device\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "b"]


@POSIX
@pytest.mark.parametrize("words", [["--help"], ["models", "list"], ["--version"]])
def test_a_closed_pipe_ends_quietly(words):
    read, write = os.pipe()
    os.close(read)
    done = process(*words, stdout=write)
    os.close(write)
    assert done.stderr == ""
    assert done.returncode == 141


@pytest.mark.parametrize("word", ["foo", "portrait"])
def test_a_wrong_word_of_a_group_is_told_with_the_right_ones(word, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["evaluate", word])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"mlanet: evaluate has no {word!r} among aflw2000, ")
    assert line.endswith("; did you mean portraits?") == (word == "portrait")
