"""Files that are exchanged with other methods: lists of names, pictures."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import DataError, ImageError
from mlanet.files import one_line, read_text
from mlanet.image import write_image


def read_names(path: Path, known: Collection[str], what: str) -> frozenset[str]:
    """The names in a text file, one a line; empty lines are passed over.

    All are among the `known` ones; the error says of `what`.

    Raises:
        DataError: the file cannot be read, or it holds another name.
    """
    lines = read_text(path, DataError).splitlines()
    names = frozenset(line.strip() for line in lines) - {""}
    unknown = sorted(names.difference(known))
    if unknown:
        raise DataError(f"{path}: {one_line(unknown[0])} is no {what}'s name ({len(unknown)} such)")
    return names


def write_picture(path: Path, image: UInt8[np.ndarray, "h w 3"]) -> None:
    """Write a picture for other methods, and its folder.

    Raises:
        DataError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, image)
    except (OSError, ImageError) as error:
        raise DataError(f"{path}: cannot be written ({error})") from error
