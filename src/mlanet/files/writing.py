"""Writing so that nobody ever sees half of a file, and a killed run leaves nothing for ever.

What is being written lies beside its target under a name that tells who writes it. A process
that is killed cannot clean up; the next one that writes into the folder does.
"""

import os
import re
import secrets
import shutil
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path

from mlanet.errors import MlanetError

_UNFINISHED = re.compile(r"\.mlanet-([0-9a-f]{6})-(\d+)-[0-9a-f]{8}-.*", re.DOTALL)
"""Machine, process, dice and the target's name."""

_UNFINISHED_BEFORE = re.compile(
    r"\.(shard-\d+|images-\d+-\d+|[0-9a-f]+-\d+|labels)\.[0-9a-f]{8}\.(tar|npz|json)"
)
"""Unfinished shards and labels of earlier versions, which did not tell who wrote them."""

_MAX_NAME_BYTES = 255
_ABANDONED_S = 24 * 3600.0
"""Age at which an unfinished file is a leftover, where its process cannot be asked after."""


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Generator[Path, None, None]:
    """A new path beside `path`, of the same suffix, that takes its place when the block ends.

    If the block raises, whatever it wrote is removed and an older file at `path` stays.

    Raises:
        FileNotFoundError: the block wrote nothing.
        OSError: as the block raised it, of a full disk say, but naming `path`.
    """
    target = Path(path)
    temporary = unfinished_path(target)
    try:
        with errors_naming(target, temporary):
            yield temporary
            temporary.replace(target)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(target)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: str | os.PathLike[str]) -> Generator[Path, None, None]:
    """A new, empty folder beside `folder` that gets its name when the block ends.

    If the block raises, it is removed with all that was written into it. Parents are made.

    Raises:
        OSError: there is something at `folder` by the time the block ends, or it cannot be made.
    """
    target = Path(folder)
    temporary = unfinished_path(target)
    temporary.mkdir(parents=True)
    try:
        with errors_naming(target, temporary):
            yield temporary
            if os.path.lexists(target):
                raise FileExistsError(17, "it exists already", str(target))
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what processes that no longer run left unfinished in a folder; others stay.

    Only names that `atomic_path` and `atomic_folder` give, or gave to shards, are looked at. Files
    of another machine (on a shared disk) are left for a day.
    """
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        match = _UNFINISHED.fullmatch(entry.name)
        if match is None:
            gone = _UNFINISHED_BEFORE.fullmatch(entry.name) is not None
        else:
            gone = _abandoned(entry, match[1], int(match[2]))
        if not gone:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


@contextmanager
def errors_naming(target: Path, temporary: Path) -> Generator[None, None, None]:
    """Errors inside the block name what the user knows, `target`, and not what is hidden."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            error.filename = os.fsdecode(error.filename).replace(str(temporary), str(target))
            error.filename2 = None
        raise
    except MlanetError as error:
        error.args = (str(error).replace(str(temporary), str(target)),)
        raise


def unfinished_path(target: Path) -> Path:
    """A new name beside `target` by which `remove_leftovers` knows who writes there."""
    start = f".mlanet-{_machine()}-{os.getpid()}-{secrets.token_hex(4)}-"
    room = _MAX_NAME_BYTES - len(start)
    kept = target.name.encode("utf-8", "surrogateescape")[-room:].decode("utf-8", "ignore")
    return target.with_name(start + kept)


@cache
def _machine() -> str:
    from platform import node

    return sha256(node().encode()).hexdigest()[:6]


def _abandoned(entry: Path, machine: str, process: int) -> bool:
    try:
        age = time.time() - entry.lstat().st_mtime
    except OSError:
        return False
    if machine != _machine() or sys.platform == "win32":  # os.kill would end it there
        return age > _ABANDONED_S
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return age > _ABANDONED_S
    return False
