"""Text files of names, one a line."""

from collections.abc import Collection
from pathlib import Path

from mlanet.errors import DataError


def read_names(path: Path, known: Collection[str], what: str) -> frozenset[str]:
    """The names in a file; empty lines are passed over.

    Args:
        path: of the file.
        known: the names that it may hold.
        what: they are, for the error.

    Raises:
        DataError: the file cannot be read, or it holds another name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path}: not a readable text file ({error})") from error
    names = frozenset(line.strip() for line in lines) - {""}
    unknown = sorted(names.difference(known))
    if unknown:
        raise DataError(f"{path}: {unknown[0]} is no {what}'s name ({len(unknown)} such)")
    return names
