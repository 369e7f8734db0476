"""The list of verbs: those for people with photos first."""

import inspect
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import shorten, wrap

from mlanet.cli.configuration import ConfiguredVerb
from mlanet.errors import did_you_mean
from mlanet.files import PHOTO_SUFFIXES

FIRST = (
    "reconstruct",
    "view",
    "video",
    "live",
    "animate",
    "batch",
    "demo",
    "fit",
    "models",
    "doctor",
)
"""Verbs and groups for people with photos, in this order; all others are for research."""

WIDTH = 79

Verbs = Mapping[str, Callable[..., int] | ConfiguredVerb]


def overview(verbs: Verbs) -> str:
    """All verbs on one screen, a line for each verb or group; long ones are cut."""
    members: dict[str, list[str]] = {}
    for name in verbs:
        first, _, second = name.partition(" ")
        members.setdefault(first, []).extend([second] if second else [])
    first = [name for name in FIRST if name in members]
    summaries = {
        name: ", ".join(below) if below else summary(verbs[name], short=True)
        for name, below in members.items()
    }
    return "\n".join(
        [
            "usage: mlanet VERB [OPTIONS]  (one photo in, a textured 3D head out)",
            "",
            "For your photos",
            *_table({name: summaries[name] for name in first}, cut=True),
            "",
            "For research",
            *_table({n: text for n, text in summaries.items() if n not in first}, cut=True),
            "",
            "mlanet VERB --help lists a verb's options; with --debug errors say where from.",
        ]
    )


def overview_of_group(group: str, verbs: Verbs) -> str:
    """The verbs of a group, a line for each."""
    members = {
        name.removeprefix(f"{group} "): summary(verb)
        for name, verb in verbs.items()
        if name.startswith(f"{group} ")
    }
    usage = f"usage: mlanet {group} {{{','.join(members)}}} [OPTIONS]"
    return "\n".join([usage, "", *_table(members)])


def summary(verb: Callable[..., int] | ConfiguredVerb, *, short: bool = False) -> str:
    """The first sentence of a verb's docstring, or the start of it."""
    function = verb.verb if isinstance(verb, ConfiguredVerb) else verb
    text = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"[;:.]( |$)", text)[0] if short else text


def hint(word: str, verbs: Verbs) -> str:
    """A question that names what was probably meant by an unknown verb; empty if nothing is near.

    A file, a folder or a pattern is a photo's, or a result's.
    """
    path = Path(word)
    plain = re.fullmatch(r"[\w ]+", word) is not None
    near = did_you_mean(word, [*verbs, *(name.split()[0] for name in verbs)]) if plain else ""
    if near:
        return near
    if path.suffix.lower() == ".glb" and "view" in verbs:
        return f"; did you mean: mlanet view {shlex.quote(word)}?"
    if path.suffix.lower() in PHOTO_SUFFIXES or path.exists() or re.search(r"[*?/\\]", word):
        return f"; did you mean: mlanet reconstruct {shlex.quote(word)}?"
    return ""


def _table(rows: Mapping[str, str], *, cut: bool = False) -> list[str]:
    column = max(map(len, rows), default=0) + 4
    lines: list[str] = []
    for name, text in rows.items():
        text = shorten(text, WIDTH - column, placeholder=" …") if cut else text
        found: Sequence[str] = wrap(text, WIDTH - column) or [""]
        lines.append(f"  {name:<{column - 2}}{found[0]}".rstrip())
        lines += [" " * column + rest for rest in found[1:]]
    return lines
