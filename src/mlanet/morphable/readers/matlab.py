"""MATLAB's .mat files of face models, of unknown origin."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from mlanet.errors import AssetError
from mlanet.files import check_regular, parsing
from mlanet.files.matfiles import Unreadable, read_matrices
from mlanet.files.matfiles import variable_names as names_in
from mlanet.files.numpyfiles import MAX_BYTES


def read_mat(path: Path, names: tuple[str, ...], obtained: str) -> dict[str, np.ndarray]:
    """Those of the named variables that the file has; nothing else is read.

    Args:
        path: the file.
        names: of numeric variables.
        obtained: what the file should be and where it is obtained, for messages.

    Raises:
        AssetError: the file is missing, truncated, too large or no .mat file of version 5.
    """
    size = check_regular(path, AssetError, missing=f"file; {obtained}")
    with parsing(path, f"a damaged .mat file; {obtained}", AssetError), path.open("rb") as file:
        found = read_matrices(file, size, names, MAX_BYTES)
    values: dict[str, np.ndarray] = {}
    for name, value in found.items():
        if isinstance(value, Unreadable):
            raise AssetError(f"{path}: {name} is no array of numbers; {obtained}")
        values[name] = value
    return values


def variable_names(path: Path) -> set[str]:
    """Names of the variables of a .mat file.

    Raises:
        AssetError: the file is damaged or too large.
    """
    size = check_regular(path, AssetError)
    trouble = "not a face model: a damaged .mat file"
    with parsing(path, trouble, AssetError), path.open("rb") as file:
        return set(names_in(file, size))


def required(
    values: dict[str, np.ndarray], name: str, path: Path, obtained: str
) -> Shaped[np.ndarray, "..."]:
    """A variable that must be there.

    Raises:
        AssetError: it is not.
    """
    if name not in values:
        raise AssetError(f"{path}: it lacks the variable {name}; {obtained}")
    return values[name]
