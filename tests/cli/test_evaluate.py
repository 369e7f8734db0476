"""What users type: the options of every protocol, flat, whatever groups hold them."""

import inspect
import re

import pytest

from mlanet.cli import main, verbs

METHOD = "--name --predictions --threads --weights"
OPTIONS = {
    "aflw2000": "--annotation --annotations --basel --crop --data --fitted-tones --model --only"
    f" --out --refine --save-predictions {METHOD}",
    "florence": f"--data --every --out --save-predictions --write-pictures {METHOD}",
    "scans": f"--data --out --refine --save-predictions --write-pictures {METHOD}",
    "identity": f"--data --out --people {METHOD}",
    "occlusion": f"--annotations --data --only --out --seed --shares --write-pictures {METHOD}",
    "expressions": "--annotations --data --num-heads --only --out --seed --teacher " + METHOD,
    "portraits": "--data --out --teacher --threads --weights",
    "now": "--data --images --out --threads --weights",
    "realy": "--images --out --reference --threads --weights",
    "compare": "--out",
}
MOST_PARAMETERS = 8


@pytest.mark.parametrize("protocol", OPTIONS)
def test_options_keep_their_names(protocol, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", protocol, "--help"])
    assert stop.value.code == 0
    shown = re.findall(r"^[│ ] {1,2}(--[a-z][\w-]+)", capsys.readouterr().out, re.MULTILINE)
    assert sorted(shown) == sorted(OPTIONS[protocol].split())


def test_no_protocol_has_many_parameters_of_its_own():
    functions = {name: verb for name, verb in verbs().items() if name.startswith("evaluate ")}
    assert sorted(functions) == sorted(f"evaluate {name}" for name in OPTIONS)
    for name, function in functions.items():
        assert len(inspect.signature(function).parameters) <= MOST_PARAMETERS, name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("identity --out o --predictions p --weights w", "--predictions come with their own"),
        ("scans --predictions p --weights w", "--predictions come with their own"),
        ("scans --predictions p --refine", "without --refine"),
        ("scans --write-pictures p --out o", "--write-pictures measures nothing"),
        ("florence", "--out is needed"),
        ("occlusion", "--out is needed"),
        ("aflw2000 --out o --model m --basel b", "not with --model"),
        ("aflw2000 --out o --predictions p --crop detector", "own crop and weights"),
        ("aflw2000 --out o --threads 0", "--threads must be positive"),
    ],
)
def test_options_that_do_not_go_together_are_one_line(
    words, message, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    protocol, *rest = words.split()
    with pytest.raises(SystemExit) as stop:
        main(["evaluate", protocol, "--data", "x", *rest])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []
