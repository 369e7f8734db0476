"""What foreign parsers raise on damaged or hostile files, and the one line that it becomes."""

import json
import lzma
import pickle
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any

from mlanet.errors import MlanetError
from mlanet.files.opening import MAX_TEXT_BYTES, read_text

PARSER_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    EOFError,
    ValueError,  # also UnicodeError and JSON's errors
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,  # also OverflowError
    AssertionError,
    BufferError,
    MemoryError,
    RuntimeError,  # also RecursionError and NotImplementedError
    SyntaxError,  # NumPy parses the headers of its files as Python
    SystemError,
    TokenError,
    lzma.LZMAError,
    pickle.UnpicklingError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)
"""All that NumPy, SciPy, h5py, onnxruntime, Pillow and the standard library raise on bad files."""

MAX_NESTING = 64
"""Levels of lists and objects in a JSON file."""

_JSON_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_CONTROL = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_MAX_REASON = 200


@contextmanager
def parsing(
    source: Path | str, trouble: str, failure: type[MlanetError]
) -> Generator[None, None, None]:
    """Turn whatever a parser raises inside the block into one line of ours.

        with parsing(path, "not a readable npz file", DataError):
            arrays = np.load(path)

    Args:
        source: the file, in front of the line.
        trouble: what the file then is; the parser's own words follow in brackets.
        failure: the error to raise. Errors of mlanet pass as they are.

    Raises:
        MlanetError: of the class `failure`.
    """
    try:
        yield
    except MlanetError:
        raise
    except PARSER_ERRORS as error:
        raise failure(f"{source}: {trouble} ({one_line(error)})") from error


def one_line(error: object) -> str:
    """A foreign error or text as one short line, in which control characters are harmless."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it takes too much memory"
    try:
        text = str(error)
    except RecursionError:  # it quotes what is nested too deeply
        text = ""
    if isinstance(error, KeyError) and text:
        text = f"it lacks {text}"
    text = printable(" ".join(text.split())) or type(error).__name__
    return text if len(text) <= _MAX_REASON else f"{text[:_MAX_REASON]}..."


def printable(text: str) -> str:
    """The text with control characters, also those that turn its direction, as escapes."""
    return _CONTROL.sub(_escaped, text)


def json_value(text: str | bytes, parse_int: Callable[[str], Any] | None = None) -> Any:
    """What a JSON text says; use it within `parsing`.

    Raises:
        ValueError: it is no JSON, or nested more deeply than `MAX_NESTING`.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    _check_nesting(text)
    return json.loads(text, parse_int=parse_int)


def read_json(
    path: Path,
    failure: type[MlanetError],
    *,
    what: str = "a JSON file",
    max_bytes: int = MAX_TEXT_BYTES,
    parse_int: Callable[[str], Any] | None = None,
) -> Any:
    """The content of a JSON file of UTF-8, with or without a byte-order mark.

    Args:
        path: the file.
        failure: the error to raise.
        what: what the file should be, for the message.
        max_bytes: what it may hold.
        parse_int: how whole numbers are read, where Python's way is not wanted.

    Raises:
        MlanetError: of the class `failure`: the file is missing, no regular file, too large, no
            JSON, or nested more deeply than `MAX_NESTING`.
    """
    text = read_text(path, failure, max_bytes)
    with parsing(path, f"not {what}", failure):
        return json_value(text, parse_int)


def _check_nesting(text: str) -> None:
    depth = 0
    for token in _JSON_TOKENS.finditer(text):
        first = token[0][0]
        if first in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise ValueError(f"nested more than {MAX_NESTING} levels deep")
        elif first in "]}":
            depth -= 1


def _escaped(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode("ascii")
