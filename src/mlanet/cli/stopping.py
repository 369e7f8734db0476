"""Ctrl-C as a wish that is heeded when it suits."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


class Wishes:
    """Ctrl-C as a wish to stop, heeded between frames; a second one stops at once."""

    def __init__(self) -> None:
        self.stop = False

    def heard(self, _number: int, _frame: FrameType | None) -> None:
        """The signal has come.

        Raises:
            KeyboardInterrupt: not for the first time.
        """
        if self.stop:
            raise KeyboardInterrupt
        self.stop = True


@contextmanager
def heeded_wishes() -> Generator[Wishes, None, None]:
    """Inside the block, in the main thread, Ctrl-C is a wish."""
    wishes = Wishes()
    if threading.current_thread() is not threading.main_thread():
        yield wishes
        return
    before = signal.signal(signal.SIGINT, wishes.heard)
    try:
        yield wishes
    finally:
        signal.signal(signal.SIGINT, before)
