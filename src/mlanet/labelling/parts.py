"""Work on many faces, part by part and by several processes, that goes on where it was stopped."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np

from mlanet.errors import DataError
from mlanet.files import atomic_path, parsing, remove_leftovers
from mlanet.files.numpyfiles import read_npz
from mlanet.workers import THREAD_COUNTS, end_with_parent

PART_FACES = 240
"""Faces in a part: what each process loses at most when a run is killed."""

Columns = dict[str, np.ndarray]
"""Arrays that have one row for each face."""


class Job(Protocol):
    """Work on some faces, which other processes can do, too."""

    columns: ClassVar[tuple[str, ...]]
    """Names of what it makes."""

    def __len__(self) -> int:
        """How many faces."""
        ...

    def __call__(self) -> Columns:
        """Their columns."""
        ...


def cut(count: int) -> Iterator[slice]:
    """The faces of each part."""
    return (slice(start, start + PART_FACES) for start in range(0, count, PART_FACES))


def digest(*what: str | bytes | np.ndarray) -> str:
    """A short hash of texts, files and arrays, for a part's key."""
    found = hashlib.sha256()
    for each in what:
        if isinstance(each, np.ndarray):
            found.update(f"{each.dtype} {each.shape}\n".encode())
            found.update(np.ascontiguousarray(each).tobytes())
        else:
            found.update(each.encode() + b"\n" if isinstance(each, str) else each)
    return found.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Parts:
    """A folder in which finished parts wait for the others.

    Attributes:
        folder: made if need be; other files in it are left alone.
        processes: that work at once; 0 is one for each CPU.
        progress: is told how many of how many parts are done.
        warn: is told which parts were damaged.
    """

    folder: Path
    processes: int = 0
    progress: Callable[[int, int], None] | None = None
    warn: Callable[[str], None] | None = None
    _made: list[Path] = field(default_factory=list)

    def work(self, key: str, jobs: Sequence[Job]) -> Columns:
        """What all jobs make, in their order.

        Args:
            key: tells their parts from those of other work: `digest` of all that decides them.
            jobs: one for each part.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        own = digest(key, str(PART_FACES))
        paths = [self.folder / f"{own}-{number:08d}.npz" for number in range(len(jobs))]
        self._made.extend(paths)
        open_jobs = [
            (job, path) for job, path in zip(jobs, paths, strict=True) if not self._whole(path, job)
        ]
        self._run(open_jobs, len(jobs))
        parts = [_read(path, job) for job, path in zip(jobs, paths, strict=True)]
        return {name: np.concatenate([part[name] for part in parts]) for name in jobs[0].columns}

    def remove(self) -> None:
        """Delete the parts that were made or found, and the folder if nothing else is in it."""
        for path in self._made:
            path.unlink(missing_ok=True)
        remove_leftovers(self.folder)  # of killed workers that the system kept a little longer
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _run(self, jobs: list[tuple[Job, Path]], total: int) -> None:
        """Do all jobs; where one fails or the run is stopped, those not yet begun are left."""
        done = total - len(jobs)

        def finished() -> None:
            nonlocal done
            done += 1
            if self.progress is not None:
                self.progress(done, total)

        workers = min(self.processes or os.cpu_count() or 1, len(jobs))
        if workers <= 1:
            for job in jobs:
                _finish(*job)
                finished()
            return
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
            try:
                for future in as_completed([pool.submit(_finish, *job) for job in jobs]):
                    future.result()
                    finished()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _whole(self, path: Path, job: Job) -> bool:
        """Whether a part is there, of so many faces; a damaged one is deleted to be made again."""
        if not path.exists():
            return False
        try:
            _read(path, job)
        except DataError as error:
            if self.warn is not None:
                self.warn(f"{error}; it is made again")
            path.unlink()
            return False
        return True


def _begin_worker() -> None:
    """One thread of arithmetic for each process, and none that outlives a killed parent."""
    for name in THREAD_COUNTS:
        os.environ[name] = "1"  # read when NumPy is imported, which happens with the first part
    end_with_parent()


def _finish(job: Job, path: Path) -> None:
    with atomic_path(path) as temporary:
        np.savez(temporary, allow_pickle=False, **job())


def _read(path: Path, job: Job) -> Columns:
    part = read_npz(path, DataError, "damaged", names=job.columns)
    with parsing(path, "damaged", DataError):
        if {len(part[name]) for name in job.columns} != {len(job)}:
            raise ValueError("it holds other faces")
    return part
