"""Opening files of unknown origin: regular ones only, and never more bytes than allowed."""

import os
import stat
from pathlib import Path

from mlanet.errors import MlanetError

MAX_TEXT_BYTES = 256 * 1024**2
"""What a file of text may hold: lists, configurations, points, meshes as text."""

_PIECE_BYTES = 1024**2


def check_regular(
    path: Path, failure: type[MlanetError], max_bytes: int | None = None, missing: str = "file"
) -> int:
    """Bytes of a file, which is neither a folder nor a device, a pipe or a socket.

    Nothing is opened, so that a pipe without a writer does not block.

    Args:
        path: absolute or relative; links are followed.
        failure: the error to raise.
        max_bytes: more are refused.
        missing: what the message calls a file that is not there: "there is no such ...".

    Raises:
        MlanetError: of the class `failure`, with the path in front.
    """
    try:
        found = os.stat(path)  # noqa: PTH116 - also takes names that Path cannot stat
    except FileNotFoundError as error:
        raise failure(f"{path}: there is no such {missing}") from error
    except (OSError, ValueError) as error:  # ValueError: a zero in the name
        raise failure(f"{path}: cannot be read ({_reason(error)})") from error
    if stat.S_ISDIR(found.st_mode):
        raise failure(f"{path}: is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise failure(f"{path}: is a pipe or a device, not a file")
    if max_bytes is not None and found.st_size > max_bytes:
        raise failure(
            f"{path}: is too large ({found.st_size / 1e6:.0f} MB; at most {max_bytes / 1e6:.0f})"
        )
    return found.st_size


def read_bytes(
    path: Path, failure: type[MlanetError], max_bytes: int, missing: str = "file"
) -> bytes:
    """The content of a regular file.

    Raises:
        MlanetError: of the class `failure`: it is missing, no regular file, unreadable or larger
            than `max_bytes`.
    """
    size = check_regular(path, failure, max_bytes, missing)
    try:
        with path.open("rb") as file:
            content = file.read(size + 1)  # not max_bytes: as much memory is taken at once
            while len(content) <= max_bytes and (more := file.read(_PIECE_BYTES)):
                content += more
    except OSError as error:
        raise failure(f"{path}: cannot be read ({_reason(error)})") from error
    if len(content) > max_bytes:  # files of /proc have no size, others may grow
        raise failure(f"{path}: is too large (more than {max_bytes / 1e6:.0f} MB)")
    return content


def start_of(path: Path, count: int, failure: type[MlanetError], missing: str = "file") -> bytes:
    """The first bytes of a regular file, by which its kind is told before it is read.

    Raises:
        MlanetError: of the class `failure`: it is missing, no regular file or unreadable.
    """
    check_regular(path, failure, missing=missing)
    try:
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise failure(f"{path}: cannot be read ({_reason(error)})") from error


def read_text(
    path: Path,
    failure: type[MlanetError],
    max_bytes: int = MAX_TEXT_BYTES,
    missing: str = "file",
) -> str:
    """The content of a regular file of UTF-8, without the byte-order mark of Windows' editors.

    Raises:
        MlanetError: of the class `failure`: as `read_bytes`, or it is no UTF-8.
    """
    try:
        return read_bytes(path, failure, max_bytes, missing).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise failure(f"{path}: is no text (UTF-8)") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
