"""What docstrings say of verbs and options, broken into lines by the help's width alone."""

import ast
import inspect
import re
import shutil
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from textwrap import dedent, wrap
from types import MappingProxyType
from typing import get_type_hints

WIDTH = 79


def reflow(verb: Callable[..., int]) -> None:
    """Rewrite a verb's docstring and its options' descriptions for tyro.

    It keeps the breaks of indented lines, and breaks no line of what stands above the options. Of
    fields it takes the metadata `help` before it looks for docstrings.
    """
    for kind in get_type_hints(verb).values():
        if isinstance(kind, type) and is_dataclass(kind):
            _describe_fields(kind)
    about, args, rest = (inspect.getdoc(verb) or "").partition("\n\nArgs:\n")
    width = min(WIDTH, shutil.get_terminal_size().columns)
    above = [
        "\n".join(wrap(" ".join(text.split()), width, subsequent_indent=" "))
        for text in about.split("\n\n")
    ]
    rest = re.sub(r"\n {8,}(?=\S)", " ", rest)
    verb.__doc__ = "\n\n".join(above) + args + rest


def _describe_fields(kind: type) -> None:
    said = {name: text for each in reversed(kind.__mro__) for name, text in _attributes(each)}
    for field in fields(kind):
        if field.name in said:
            field.metadata = MappingProxyType({"help": said[field.name], **field.metadata})


def _attributes(kind: type) -> list[tuple[str, str]]:
    """Names of a dataclass's attributes and the strings that follow them in its source."""
    if not is_dataclass(kind):
        return []
    (definition,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(definition, ast.ClassDef)
    return [
        (attribute.target.id, " ".join(text.value.value.split()))
        for attribute, text in zip(definition.body, definition.body[1:], strict=False)
        if isinstance(attribute, ast.AnnAssign)
        and isinstance(attribute.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    ]
