"""What the library logs, as lines of the command line."""

import logging
import sys
from collections.abc import Generator
from contextlib import contextmanager


class _Lines(logging.Handler):
    """Writes `mlanet: ...` to what is standard error at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        print(f"mlanet: {record.getMessage()}", file=sys.stderr)


@contextmanager
def log_as_lines() -> Generator[None, None, None]:
    """Within the block, each warning that mlanet logs is one line on standard error."""
    logger, handler = logging.getLogger("mlanet"), _Lines(logging.WARNING)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
