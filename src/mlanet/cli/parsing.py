"""A verb's words, parsed by tyro, whose boxes about wrong words become one line."""

import functools
import io
import os
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any

import tyro

from mlanet.cli.common import EXIT_USAGE
from mlanet.errors import UsageError, did_you_mean

KINDS = {"INT": "a whole number", "FLOAT": "a number"}
"""What tyro's names of values mean."""

WIDE = "10000"
"""Columns of a terminal on which tyro breaks no line."""

OPTION = r"--?[A-Za-z][\w.-]*"


def call(verb: Callable[..., int], prog: str, words: Sequence[str], **options: Any) -> int:
    """Run a verb with the words of a command.

    `options` are tyro's.

    Raises:
        UsageError: the words do not fit the verb.
        SystemExit: tyro printed the verb's help.
    """

    @functools.wraps(verb)
    def later(*values: Any, **named: Any) -> Any:
        return functools.partial(verb, *values, **named)

    if {"-h", "--help"} & set(words):
        return tyro.cli(verb, prog=prog, args=words, **options)
    return parse(later, prog, words, **options)()


def parse(kind: Callable[..., Any], prog: str, words: Sequence[str], **options: Any) -> Any:
    """What tyro makes of the words; as of `tyro.cli`, whose `options` are passed on.

    Raises:
        UsageError: they do not fit.
    """
    plain = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # by which tyro draws its boxes
    with _columns(WIDE), redirect_stdout(plain), redirect_stderr(io.StringIO()) as printed:
        try:
            return tyro.cli(kind, prog=prog, args=words, **options)
        except SystemExit as stop:
            if stop.code != EXIT_USAGE:
                raise
    if not options.get("return_unknown_args"):
        _refuse_unknown(kind, prog, words, **options)
    raise UsageError(_one_line(printed.getvalue(), prog))


def _refuse_unknown(
    kind: Callable[..., Any], prog: str, words: Sequence[str], **options: Any
) -> None:
    """Nothing, if the help lists every option among the words.

    Raises:
        UsageError: it does not; the message names the first and what was meant.
    """
    with _columns("80"), redirect_stdout(io.StringIO()) as printed, suppress(SystemExit):
        tyro.cli(kind, prog=prog, args=["--help"], **options)
    heads = re.findall(rf"^[│| ]*({OPTION}\b.*)", printed.getvalue(), re.MULTILINE)
    known = {name for head in heads for name in re.findall(rf"(?<!\S){OPTION}", head)}
    for word in words:
        given = word.partition("=")[0].replace("_", "-")
        if re.fullmatch(OPTION, given) and given not in known:
            names = [name[2:] for name in known if name.startswith("--")]
            near = did_you_mean(given.lstrip("-"), sorted(names)).replace("mean ", "mean --")
            raise UsageError(f"{_verb(prog)} has no option {given}{near or _more(prog)}")


def _one_line(box: str, prog: str) -> str:
    """What tyro's box says, as the line of an error.

    Where the box is not understood, its own words are taken.

    Args:
        box: unbroken by the terminal's width.
        prog: the command, such as `mlanet view`.
    """
    rows = [re.sub(r"^│ ?|\s*│$", "", row) for row in box.splitlines()]
    rows = [row for row in rows if row.strip() and row[0] not in "╭╰"]
    rules = [place for place, row in enumerate(rows) if not row.strip("─ ")]
    said = rows[: rules[0]] if rules else rows
    text = " ".join(" ".join(said).split())
    verb, more = _verb(prog), _more(prog)
    if "Missing from" in text:
        needed = [row.split(", ")[-1].strip() for row in said if re.match(r" {4}\S", row)]
        return f"{verb} needs {_listed(needed, 'and')}{more}"
    if found := re.search(r"^Unrecognized \w+: (.*)", text):
        return f"{verb} does not know what to do with {_listed(found[1].split(', '), 'and')}{more}"
    if found := re.search(rf"^Missing value for argument '(?:-\w/)?({OPTION})'", text):
        return f"{found[1]} needs a value{more}"
    if found := re.search(rf"^invalid choice '(.*)' for argument '({OPTION})'.*\((.*)\)", text):
        value, option, choices = found[1], found[2], re.findall(r"'([^']*)'", found[3])
        near = did_you_mean(value, choices)
        return f"{option} takes {_listed(choices, 'or')}, not {value!r}{near}"
    found = re.search(rf"^Error parsing (?:-\w/)?({OPTION}): .*('.*')$", text)
    metavar = re.search(r"^ {4}.*\b(INT|FLOAT)$", "\n".join(rows), re.MULTILINE)
    if found and metavar:
        return f"{found[1]} takes {KINDS[metavar[1]]}, not {found[2]}"
    return f"{verb}: {text}{more}"


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join([", ".join(words[:-1])] * (len(words) > 1) + [*words[-1:]])


def _verb(prog: str) -> str:
    return prog.removeprefix("mlanet ")


def _more(prog: str) -> str:
    return f"; {prog} --help tells more"


@contextmanager
def _columns(number: str) -> Generator[None, None, None]:
    """Inside the block, tyro breaks its lines as on a terminal of this width."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = number
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
