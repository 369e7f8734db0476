"""The encoded bytes of a picture, wherever they lie."""

import os
import re
from pathlib import Path
from typing import Any, Protocol

from mlanet.errors import ImageError
from mlanet.files import check_regular, one_line
from mlanet.image.kinds import START_BYTES, kind_of

MAX_FILE_BYTES = 512 * 1024**2
"""Larger files are refused: as much as `MAX_PIXELS` take in four bytes each."""

_PIECE_BYTES = 4 * 1024**2
_ADDRESS = re.compile(r"(https?|ftp|file|s3|data):", re.IGNORECASE)


class ReadableFile(Protocol):
    """A file that was opened in binary mode, or what behaves like one."""

    def read(self, size: int, /) -> bytes:
        """The next `size` bytes at most; none at the end."""
        ...


def path_content(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a picture's file; what is no picture is not read beyond its first bytes.

    Raises:
        ImageError: the file is missing, no regular file, unreadable, too large or no picture.
    """
    name = os.fsdecode(path)
    if isinstance(path, str) and _ADDRESS.match(path) and not Path(path).exists():
        raise ImageError(f"{name[:80]}: is an address; mlanet fetches nothing, save the file first")
    size = check_regular(Path(name), ImageError)
    try:
        with Path(name).open("rb") as file:
            return file_content(file, name, size)
    except OSError as error:
        raise ImageError(f"{name}: cannot be read ({error.strerror or error})") from error


def file_content(file: ReadableFile, name: str, size: int = 0) -> bytes:
    """The bytes of an open file from where it stands; it is left open.

    Args:
        file: opened in binary mode.
        name: what messages call it.
        size: its bytes, where they are known beforehand.

    Raises:
        ImageError: it cannot be read, was opened as text, is too large or no picture.
    """
    start = _read(file, START_BYTES, name)
    kind_of(start, name)
    content = b""
    if size <= MAX_FILE_BYTES:
        content = start + _read(file, MAX_FILE_BYTES + 1 - len(start), name)
    if max(len(content), size) > MAX_FILE_BYTES:
        raise ImageError(f"{name}: is too large (more than {MAX_FILE_BYTES / 1e6:.0f} MB)")
    return content


def _read(file: ReadableFile, count: int, name: str) -> bytes:
    """`count` bytes, fewer at the end only: unbuffered files give what they have at hand."""
    parts: list[bytes] = []
    while count > 0:
        try:
            part: Any = file.read(min(count, _PIECE_BYTES))  # memory for all is taken at once
        except (OSError, ValueError) as error:  # ValueError: the file is closed
            raise ImageError(f"{name}: cannot be read ({one_line(error)})") from error
        if isinstance(part, str):
            raise ImageError(f"{name}: is opened as text; open it with mode 'rb'")
        if not isinstance(part, bytes):
            raise ImageError(f"{name}: its read() gives {type(part).__name__}, not bytes")
        if not part:
            break
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
