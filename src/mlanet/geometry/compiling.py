"""How loops are compiled. Importing this module imports numba; do it inside functions."""

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """`njit`, cached on disk where some folder can be written and in memory otherwise."""
    try:
        return njit(nogil=True, error_model="numpy", cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache is writable
        return njit(nogil=True, error_model="numpy")(function)
