"""Standard output that is watched, and other libraries that are not heard."""

import logging
import os
import sys
import warnings
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

from mlanet.cli.common import DEBUG, complain


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

    Other libraries warn and log for whoever calls them. With `--debug` all are heard, and what
    mlanet logs is shown on standard error.
    """
    if DEBUG.get():
        with _shown_log():
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


@contextmanager
def _shown_log() -> Generator[None, None, None]:
    log, handler = logging.getLogger("mlanet"), logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(relativeCreated)d ms %(name)s: %(message)s"))
    level = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)


def _show_warning(message: Warning | str, category: type[Warning], *_: object) -> None:
    if category.__module__.split(".")[0] == "mlanet":
        complain(str(message))
