"""Files of other storage, by addresses such as `s3://bucket/shard.tar`. Needs fsspec.

Credentials and endpoints are those that fsspec and its packages find in the environment.
"""

import re
from collections.abc import Collection, Generator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from mlanet.errors import MlanetError, UsageError
from mlanet.files.opening import check_regular
from mlanet.files.parsing import one_line

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)

_PATTERN = re.compile(r"[*?[]")


def is_address(name: str) -> bool:
    """Whether a name is `SCHEME://PLACE`, and no path of this machine's."""
    return _ADDRESS.match(name) is not None


def file_system(address: str) -> tuple[Any, str]:
    """Fsspec's file system of an address, and the path in it.

    Raises:
        UsageError: there is no such scheme, or fsspec or the package for it is not installed.
        MlanetError: the file system cannot be reached.
    """
    try:
        from fsspec.core import url_to_fs

        return cast("tuple[Any, str]", url_to_fs(address))
    except (ImportError, ValueError) as error:  # ValueError: a scheme that nobody knows
        raise UsageError(f"{address}: {one_line(error)}") from error
    except Exception as error:
        raise MlanetError(f"{address}: {one_line(error)}") from error


@contextmanager
def storage_errors(address: str, failure: type[MlanetError]) -> Generator[None, None, None]:
    """Whatever a file system raises, as one line of ours.

    Raises:
        MlanetError: of the class `failure`, with the address in front.
    """
    try:
        yield
    except MlanetError:
        raise
    except FileNotFoundError as error:
        raise failure(f"{address}: there is no such file") from error
    except Exception as error:  # each kind of storage has errors of its own
        reason = getattr(error, "strerror", None) or one_line(error) or type(error).__name__
        raise failure(f"{address}: {reason}") from error


def size_of(path: str, failure: type[MlanetError]) -> int:
    """Bytes of a regular file, by path or address.

    Raises:
        MlanetError: of the class `failure`: it is not there, or no file.
    """
    if not is_address(path):
        return check_regular(Path(path), failure)
    system, place = file_system(path)
    with storage_errors(path, failure):
        found = system.info(place)
    if found["type"] != "file":
        raise failure(f"{path}: is a folder, not a file")
    return int(found["size"])


def open_binary(path: str) -> BinaryIO:
    """A file, by path or address, to be read in any order.

    Raises:
        MlanetError: the address's file system cannot be reached.
        OSError: it cannot be opened; storage may raise errors of its own.
    """
    if not is_address(path):
        return Path(path).open("rb")
    system, place = file_system(path)
    return cast("BinaryIO", system.open(place, "rb"))


def addresses_of(word: str, suffixes: Collection[str], *, recursive: bool = False) -> list[str]:
    """The files that an address names: one, those of a folder by their endings, or of a pattern.

    Args:
        word: an address; in its path `*`, `?`, `[...]` and `**` make it a pattern.
        suffixes: lower-case endings of what is taken from folders and patterns.
        recursive: whether folders below a folder are looked into, too.

    Returns:
        Addresses, sorted; hidden files are left out of folders and patterns.

    Raises:
        UsageError: as `file_system`.
        MlanetError: the storage cannot be listed.
    """
    system, place = file_system(word)
    with storage_errors(word, MlanetError):
        if _PATTERN.search(place) and not system.exists(place):
            paths = system.glob(place)
        elif system.isdir(place):
            paths = system.find(place, maxdepth=None if recursive else 1)
        else:
            return [word]
        scheme = word[: word.index("://")]
        below = len(PurePosixPath(place).parts) if not _PATTERN.search(place) else 0
        return [
            f"{scheme}://{path.removeprefix(f'{scheme}://')}"
            for path in sorted(paths)
            if PurePosixPath(path).suffix.lower() in suffixes
            and not any(part.startswith(".") for part in PurePosixPath(path).parts[below:])
        ]
