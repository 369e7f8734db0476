"""Text files of names, one a line."""

from collections.abc import Collection
from pathlib import Path

from mlanet.errors import DataError
from mlanet.files import one_line, read_text


def read_names(path: Path, known: Collection[str], what: str) -> frozenset[str]:
    """The names in a file; empty lines are passed over.

    Args:
        path: of the file.
        known: the names that it may hold.
        what: they are, for the error.

    Raises:
        DataError: the file cannot be read, or it holds another name.
    """
    lines = read_text(path, DataError).splitlines()
    names = frozenset(line.strip() for line in lines) - {""}
    unknown = sorted(names.difference(known))
    if unknown:
        raise DataError(f"{path}: {one_line(unknown[0])} is no {what}'s name ({len(unknown)} such)")
    return names
