"""Images of a batch side by side: compiled loops hold no lock, so plain threads do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def for_each_image(work: Callable[[int], None], count: int, threads: int) -> None:
    """Call `work(index)` for each index below `count` on up to `threads` threads."""
    workers = min(threads, count)
    if workers < 2:
        for index in range(count):
            work(index)
        return
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work, index) for index in range(count)]:
            done.result()
