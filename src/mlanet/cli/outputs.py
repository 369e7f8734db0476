"""Where a verb will write: looked at before it works for hours."""

import os
from pathlib import Path

from mlanet.errors import UsageError


def check_folder(name: str, folder: Path) -> None:
    """Nothing, if the folder can be written to or made; it is left as it is.

    Args:
        name: what the message calls it, such as `--out`.
        folder: absolute or relative.

    Raises:
        UsageError: it is a file or lies below one, or there is no permission.
    """
    _check(name, folder, folder)


def check_file(name: str, file: Path) -> None:
    """Nothing, if the file can be written or replaced; it is left as it is.

    Args:
        name: what the message calls it, such as `--save-predictions`.
        file: absolute or relative.

    Raises:
        UsageError: it is a folder, or its folder cannot be written to or made.
    """
    if file.is_dir():
        raise UsageError(f"{name} {file} is a folder, not a file")
    _check(name, file, file.parent)


def _check(name: str, path: Path, folder: Path) -> None:
    place = folder
    while not os.path.lexists(place) and place != place.parent:
        place = place.parent
    what = f"{name} {path}" if place == path else f"{name} {path}: {place}"
    if not place.is_dir():
        kind = "a link that leads nowhere" if place.is_symlink() else "a file, not a folder"
        raise UsageError(f"{what} is {kind}")
    if not os.access(place, os.W_OK | os.X_OK):
        raise UsageError(f"{what}: no permission to write there")
