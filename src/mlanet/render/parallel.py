"""Images of a batch side by side: compiled loops hold no lock, so plain threads do."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise


def for_each_part(work: Callable[[range], None], count: int, threads: int) -> None:
    """Call `work` with ranges of indices that make up `range(count)`, one on each thread."""
    workers = min(threads, count)
    if workers < 2:
        if count:
            work(range(count))
        return
    bounds = [count * k // workers for k in range(workers + 1)]
    parts = [range(start, stop) for start, stop in pairwise(bounds)]
    with ThreadPoolExecutor(workers - 1) as pool:
        others = [pool.submit(work, part) for part in parts[1:]]
        work(parts[0])
        for done in others:
            done.result()


def for_each_image(work: Callable[[int], None], count: int, threads: int) -> None:
    """Call `work(index)` for each index below `count` on up to `threads` threads."""

    def part(indices: range) -> None:
        for index in indices:
            work(index)

    for_each_part(part, count, threads)
