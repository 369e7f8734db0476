"""What the user reads: one line for each event, and nothing that other libraries mutter."""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, TextIO, cast

from mlanet.errors import MlanetError
from mlanet.files import one_line, printable

DEBUG: ContextVar[bool] = ContextVar("DEBUG", default=False)
"""Whether tracebacks and other libraries' words are shown: `--debug`."""


def say(line: str) -> None:
    """A line on standard output, at once.

    Raises:
        OSError: it cannot be written there.
    """
    print(printable(line), flush=True)


def complain(text: str, error: BaseException | None = None) -> None:
    """A line on standard error; with `--debug` the error's traceback follows."""
    with suppress(OSError, ValueError):  # a closed stream: nobody is left to be told
        print(f"mlanet: {printable(text)}", file=sys.stderr, flush=True)
        if error is not None and DEBUG.get():
            traceback.print_exception(error)


def described(error: BaseException) -> str:
    """An error as one line that names the file at fault, if it is known."""
    if isinstance(error, MlanetError):
        return str(error)
    if isinstance(error, MemoryError):
        return "not enough memory"
    if isinstance(error, OSError) and error.strerror:
        if error.filename is None:
            return error.strerror
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {one_line(error)}"


class WatchedStdout:
    """Standard output inside the block; remembers what kept it from taking what was printed."""

    def __init__(self) -> None:
        self.error: OSError | None = None
        self._stream: Any = sys.stdout

    def __enter__(self) -> "WatchedStdout":
        """Take its place."""
        sys.stdout = cast(TextIO, self)
        return self

    def __exit__(self, *_: object) -> None:
        """Give its place back, with nothing left in it that Python's end would try to write."""
        with suppress(OSError, ValueError):  # remembered; ValueError: closed by who called
            self.flush()
        sys.stdout = self._stream
        if self.error is not None:
            with suppress(AttributeError, OSError, ValueError):  # no stream of the system's
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def __getattr__(self, name: str) -> Any:
        """All else as of the stream."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As of the stream.

        Raises:
            OSError: it takes no more.
        """
        try:
            return self._stream.write(text)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """As of the stream.

        Raises:
            OSError: it takes no more.
        """
        try:
            self._stream.flush()
        except OSError as error:
            self.error = error
            raise


@contextmanager
def quiet_libraries() -> Generator[None, None, None]:
    """Inside the block, of all warnings only mlanet's own are shown, each as a line.

    Other libraries warn and log for whoever calls them. With `--debug` all are heard.
    """
    if DEBUG.get():
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.showwarning = _show_warning
        unheard = logging.NullHandler()
        logging.getLogger().addHandler(unheard)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(unheard)


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    if category.__module__.split(".")[0] == "mlanet":
        complain(str(message))
