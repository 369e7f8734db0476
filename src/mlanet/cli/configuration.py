"""Verbs that take a configuration: a JSON file gives the defaults, options change single fields."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import tyro

from mlanet.cli.parsing import parse


@dataclass(frozen=True, slots=True)
class Named:
    """What the words of a command say of where its configuration comes from."""

    config: Path | None = None
    """A JSON file."""

    out: Path | None = None
    """The folder of the run: one that was begun has its configuration."""

    preset: str | None = None
    """The network, by which some defaults differ."""

    @property
    def changes(self) -> dict[str, Any]:
        """Fields that are changed before the file is read."""
        return {} if self.preset is None else {"preset": self.preset}


@dataclass(frozen=True, slots=True)
class ConfiguredVerb:
    """A verb with an argument `configuration`, whose fields are options of its own.

    Attributes:
        verb: the function.
        default: gives the configuration, a dataclass, in which options change single fields.
    """

    verb: Callable[..., int]
    default: Callable[[Named], Any]

    def ready(self, words: Sequence[str], prog: str) -> Callable[..., int]:
        """The function as tyro reads it: with the configuration that the words name as default.

        Raises:
            ConfigurationError: this configuration is malformed.
            UsageError: a file, folder or preset lacks its value.
        """
        told = [word for word in words if word not in ("-h", "--help")]
        named, _ = parse(Named, prog, told, return_unknown_args=True)
        default = self.default(named)
        kind = Annotated[type(default), tyro.conf.arg(name="")]

        def configured(**options: Any) -> int:
            return self.verb(**options)

        signature = inspect.signature(self.verb)
        parameters = dict(signature.parameters)
        parameters["configuration"] = parameters["configuration"].replace(
            annotation=kind, default=default
        )
        vars(configured)["__signature__"] = signature.replace(parameters=list(parameters.values()))
        configured.__annotations__ = self.verb.__annotations__ | {"configuration": kind}
        text = inspect.getdoc(self.verb) or ""
        configured.__doc__ = text.replace("\nArgs:", f"{_empty_lists(default)}\nArgs:", 1)
        return configured


def _empty_lists(configuration: Any) -> str:
    """What stands in the lists of objects that are empty, and so have no options."""
    names: dict[type, list[str]] = {}
    for name, hint in get_type_hints(type(configuration)).items():
        member = (*get_args(hint), None)[0]
        if isinstance(member, type) and is_dataclass(member) and not getattr(configuration, name):
            names.setdefault(member, []).append(name)
    return "".join(
        f"\nIn the JSON file, {' and '.join(lists)} hold objects with these fields:\n"
        + "".join(f"- {each}\n" for each in documented(member))
        for member, lists in names.items()
    )


def documented(kind: type) -> list[str]:
    """The fields of a dataclass with what its docstring says of each."""
    listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+: .*(?:\n {8}.*)*)", listed, re.MULTILINE)
    return [" ".join(entry.split()) for entry in entries]
