"""What decoders say by themselves: C code on standard error, Pillow as warnings."""

import os
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager

_STDERR = 2

warnings_lock = threading.Lock()
"""Python's filters of warnings are the process's: who changes them, or warns, holds this."""


class _StandardError:
    """The file descriptor of the process, led to nowhere while anybody asks for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._original: int | None = None

    def hide(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth > 1:
                return
            try:
                self._original = os.dup(_STDERR)
            except OSError:  # it is closed: nothing can be printed
                return
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, _STDERR)
            os.close(nowhere)

    def show(self) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth or self._original is None:
                return
            os.dup2(self._original, _STDERR)
            os.close(self._original)
            self._original = None


_standard_error = _StandardError()


@contextmanager
def quiet() -> Generator[None]:
    """Standard error of the whole process leads nowhere inside the block.

    For short calls of foreign decoders only: what other threads print meanwhile is lost, too.
    """
    _standard_error.hide()
    try:
        yield
    finally:
        _standard_error.show()


@contextmanager
def no_warnings() -> Generator[None]:
    """No warning is shown inside the block, which must be short; threads wait for each other."""
    with warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
