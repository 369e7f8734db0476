"""What processes that work for another one have in common. Imports nothing that is slow."""

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from multiprocessing import parent_process

THREAD_COUNTS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that say how many threads arithmetic takes, read when NumPy is imported."""


def end_with_parent() -> None:
    """Let this process end when the one that started it does, however that ends."""
    parent = parent_process()
    if parent is not None:

        def watch() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=watch, daemon=True).start()


@contextmanager
def one_thread() -> Generator[None, None, None]:
    """Processes that are started inside the block do arithmetic with one thread."""
    before = {name: os.environ.get(name) for name in THREAD_COUNTS}
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
