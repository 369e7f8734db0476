"""Every shell and Python block of README, Start, How-to and Explanation runs.

Before a block may stand `<!-- needs: EXTRA -->`: it runs where that extra is installed; or
`<!-- words only: why -->`: the words of its commands are checked, and they are not run. A JSON
block with a title is a file that later blocks name.
"""

import functools
import io
import re
import shlex
import sys
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest

import mlanet.cli
from mlanet.cli.configuration import ConfiguredVerb
from mlanet.datasets import layouts

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "start").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
]
BLOCK = re.compile(r"(?:<!-- ([\w ]+): ([^\n]*?) -->\n)?```(\w+)([^\n]*)\n(.*?)^```$", re.M | re.S)
SMALL = {
    "train": "--steps 2 --batch-size 4",
    "synthesize heads": "--count 4 --size 64",
    "label": "--processes 1",
}
"""Options that make a command short."""

PACKAGES = {"bulk": "pyarrow", "models": "h5py", "train": "torch"}
"""One that tells whether an extra is installed."""

LAUNCHERS = ("accelerate launch", "torchrun")
REPOSITORY = ("python -m pip install", "pytest", "ruff", "mkdocs", "export", "python assets/")
"""Begin commands that belong to the installation or to the repository."""


@dataclass(frozen=True)
class Block:
    marker: str | None
    why: str | None
    language: str
    title: str
    text: str

    @property
    def runs(self):
        return self.marker is None or (
            self.marker == "needs" and find_spec(PACKAGES[self.why]) is not None
        )

    @property
    def commands(self):
        lines = self.text.replace("\\\n", " ").splitlines()
        parts = [part.strip() for line in lines for part in line.partition("  #")[0].split("&&")]
        return [part for part in parts if part and not part.startswith("#")]


def blocks(page):
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [Block(*match.groups()) for match in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.stem}")
def test_blocks_run(page, workspace, monkeypatch):
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(layouts, "LAYOUTS", dict(layouts.LAYOUTS))
    names: dict[str, object] = {}
    for block in blocks(page):
        if block.language == "json":
            Path(block.title.split('"')[1]).write_text(block.text)
        elif block.language == "python" and block.runs:
            exec(compile(block.text, page.name, "exec"), names)
        elif block.language == "sh":
            for command in block.commands:
                run(command, block.runs, monkeypatch)


def run(command, really, monkeypatch):
    """A line of a shell: mlanet's verbs run in this process."""
    if command.startswith("python assets/"):
        assert (ROOT / command.split()[1]).is_file(), command
    if command.startswith(REPOSITORY):
        return
    if command.startswith(LAUNCHERS):
        command = "mlanet" + command.partition("-m mlanet")[2]
    piped = re.fullmatch(r"cat (\S+) \| (mlanet .*)", command)
    if piped:
        file, command = piped.groups()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(file).read_bytes())))
    program, *words = shlex.split(command)
    assert program == "mlanet", f"no test runs {command!r}"
    verb = next(v for n in (2, 1) if (v := " ".join(words[:n])) in mlanet.cli.verbs())
    with monkeypatch.context() as patch:
        if not really:
            patch.setattr(mlanet.cli, "verbs", silent_verbs)
        with pytest.raises(SystemExit) as stop:
            mlanet.cli.main([*words, *SMALL.get(verb, "").split()])
    assert stop.value.code == 0, command


def silent_verbs(verbs=mlanet.cli.verbs):
    """The verbs as they are parsed, which do nothing."""
    return {name: silenced(verb) for name, verb in verbs().items()}


def silenced(verb):
    if isinstance(verb, ConfiguredVerb):

        def default(named):  # the file may be one that the reader has
            there = named.config is not None and named.config.exists()
            return verb.default(named if there else replace(named, config=None))

        return replace(verb, verb=silenced(verb.verb), default=default)

    @functools.wraps(verb)
    def nothing(*_, **__):
        return 0

    return nothing


def test_markers_are_known():
    for page in PAGES:
        for block in blocks(page):
            assert block.marker in (None, "needs", "words only"), page.name
            assert block.marker != "needs" or block.why in PACKAGES, page.name


def test_the_words_of_a_command_are_checked(monkeypatch):
    with pytest.raises(AssertionError):
        run("mlanet export --check-point c --out w.onnx", False, monkeypatch)
