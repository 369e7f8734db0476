"""MATLAB's .mat files of unknown origin, version 5."""

from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from mlanet.errors import AssetError
from mlanet.files.matfiles import decompressed_size
from mlanet.morphable.archive import MAX_BYTES, checked_size


def read_mat(path: Path, names: tuple[str, ...], obtained: str) -> dict[str, np.ndarray]:
    """Those of the named variables that the file has; nothing else is read.

    Args:
        path: the file.
        names: of numeric variables.
        obtained: what the file should be and where it is obtained, for messages.

    Raises:
        AssetError: the file is missing, truncated, too large or no .mat file of version 5.
    """
    try:
        checked_size(path, _decompressed_size(path), MAX_BYTES)
        from scipy.io import loadmat

        found = loadmat(str(path), variable_names=list(names))
    except FileNotFoundError as error:
        raise AssetError(f"{path}: no such file; {obtained}") from error
    except AssetError:
        raise
    except Exception as error:  # loadmat's readers raise errors of any kind on damaged files
        raise AssetError(f"{path}: a damaged .mat file; {obtained}") from error
    values = {name: found[name] for name in names if name in found}
    for name, value in values.items():
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
            raise AssetError(f"{path}: {name} is no array of numbers; {obtained}")
    return values


def variable_names(path: Path) -> set[str]:
    """Names of the variables of a .mat file.

    Raises:
        AssetError: the file is damaged or too large.
    """
    try:
        checked_size(path, _decompressed_size(path), MAX_BYTES)
        from scipy.io import whosmat

        return {name for name, _, _ in whosmat(str(path))}
    except AssetError:
        raise
    except Exception as error:  # as above
        raise AssetError(f"{path}: not a face model: a damaged .mat file") from error


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


def _decompressed_size(path: Path) -> int:
    with path.open("rb") as file:
        return decompressed_size(file, path.stat().st_size, MAX_BYTES)
