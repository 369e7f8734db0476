"""Mutants in worker processes that may die, hang or swell, watched from outside."""

import contextlib
import faulthandler
import multiprocessing
import os
import resource
import shutil
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

import numpy as np

from .mutants import mutate
from .source import Source

LIMIT_S = 20.0
"""Of a processor, or by the clock without any: what else keeps the machine busy does not count."""

LIMIT_MB = 2000.0
TIRED_MB = 900.0
"""A worker whose memory stays above this is replaced, so that it does not add to what follows."""

START_S = 300.0
"""What a worker may take to load everything on a busy machine."""


class Task(NamedTuple):
    """A mutant: which source, and which number of it."""

    source: int
    number: int


@dataclass(frozen=True)
class Outcome:
    """What a mutant did.

    Attributes:
        task: the mutant.
        kind: read, refused, unexpected; or traceback, crash, hang, over_memory, none of which
            may be.
        detail: of the latter, in one line.
    """

    task: Task
    kind: str
    detail: str = ""


def content_of(source: Source, number: int, seed: int) -> bytes:
    """A mutant, made anew from its number."""
    rng = np.random.default_rng([seed, crc32(source.name.encode()), number])
    return mutate((source.folder / source.victim).read_bytes(), rng, source.structure)


def way_of(source: Source, number: int) -> str:
    """The way in that a mutant takes."""
    return source.ways[number % len(source.ways)]


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    task: Task | None = None
    ready: bool = False
    since: float = field(default_factory=time.monotonic)  # it was last seen to do something
    started_s: float = 0.0
    used_s: float = 0.0


def run_mutants(
    sources: list[Source],
    tasks: Iterable[Task],
    scratch: Path,
    seed: int,
    jobs: int,
    told: Callable[[Outcome], None],
) -> None:
    """Try every mutant; `told` hears of each outcome."""
    waiting = deque(tasks)
    context = multiprocessing.get_context("spawn")
    numbers = iter(range(10**9))
    workers: list[_Worker] = []

    def start() -> None:
        ours, theirs = context.Pipe()
        place = scratch / f"worker-{next(numbers)}"
        arguments = (theirs, sources, place, seed)
        process = context.Process(target=_work, args=arguments, daemon=True)
        process.start()
        theirs.close()
        workers.append(_Worker(process, ours))

    def end(worker: _Worker, kind: str = "", detail: str = "") -> None:
        worker.process.kill()
        worker.process.join()
        workers.remove(worker)
        if worker.task is not None and kind:
            told(Outcome(worker.task, kind, detail))
        elif kind:
            raise RuntimeError(f"a worker ended before its first mutant: {kind} {detail}")

    while waiting or any(worker.task is not None for worker in workers):
        while len(workers) < min(jobs, len(waiting) + sum(w.task is not None for w in workers)):
            start()
        wait([worker.pipe for worker in workers], timeout=0.2)
        for worker in workers:
            try:
                while worker.pipe.poll():
                    _hear(worker, worker.pipe.recv(), told)
            except (EOFError, OSError):
                worker.process.join(10)
                end(worker, "crash", f"exit code {worker.process.exitcode}")
                continue
            elapsed = time.monotonic() - worker.since
            resident = _resident_mb(worker.process.pid)
            if worker.task is None and worker.ready and resident > TIRED_MB:
                end(worker)
            elif worker.task is None and worker.ready and waiting:
                worker.task, worker.since = waiting.popleft(), time.monotonic()
                worker.started_s = worker.used_s = _used_s(worker.process.pid)
                worker.pipe.send(worker.task)
            elif worker.task is not None and _hangs(worker):
                end(worker, "hang", f"more than {LIMIT_S:.0f} s")
            elif worker.task is not None and resident > LIMIT_MB:
                end(worker, "over_memory", f"{resident:.0f} MB resident")
            elif not worker.ready and elapsed > START_S:
                raise RuntimeError("a worker does not start")
    for worker in workers:
        end(worker)


def _hear(worker: _Worker, message: object, told: Callable[[Outcome], None]) -> None:
    if isinstance(message, Outcome):
        told(message)
        worker.task = None
    worker.ready, worker.since = True, time.monotonic()


def _hangs(worker: _Worker) -> bool:
    used_s = _used_s(worker.process.pid)
    if used_s != worker.used_s or _wants_a_processor(worker.process.pid):
        worker.used_s, worker.since = used_s, time.monotonic()
    return used_s - worker.started_s > LIMIT_S or time.monotonic() - worker.since > LIMIT_S


def _used_s(process: int | None) -> float:
    """Time of a processor that a process has used."""
    fields = _status_fields(process)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def _wants_a_processor(process: int | None) -> bool:
    return _status_fields(process)[:1] == ["R"]


def _status_fields(process: int | None) -> list[str]:
    """What Linux tells of a process, from its state on; nothing elsewhere."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _resident_mb(process: int | None) -> float:
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):  # it has ended, or the system has no /proc
        return 0.0
    return pages * resource.getpagesize() / 1e6


def _work(pipe: Connection, sources: list[Source], place: Path, seed: int) -> None:
    place.mkdir(parents=True)
    log = (place / "log.txt").open("w")
    for stream in (1, 2):  # decoders written in C write where Python does not look
        os.dup2(log.fileno(), stream)
    faulthandler.enable(log)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from .ways_in import warm_up, way

    folders: dict[int, Path] = {}
    warm_up()
    pipe.send("ready")
    while True:
        task = Task(*pipe.recv())
        source = sources[task.source]
        if task.source not in folders:
            folders[task.source] = place / f"{task.source:03d}"
            shutil.copytree(source.folder, folders[task.source])
        folder = folders[task.source]
        victim = folder / source.victim
        content = content_of(source, task.number, seed)
        victim.write_bytes(content)
        _forget_peak()
        try:
            outcome = Outcome(task, way(way_of(source, task.number), folder, victim))
        except Exception as error:  # that is what is looked for
            outcome = Outcome(task, "traceback", _where(error))
        peak = _peak_mb()
        if peak > LIMIT_MB:
            outcome = Outcome(task, "over_memory", f"{peak:.0f} MB at the peak")
        shutil.rmtree(folder / "out", ignore_errors=True)
        victim.write_bytes((source.folder / source.victim).read_bytes())
        pipe.send(outcome)


def _where(error: Exception) -> str:
    """The exception and the last line of ours that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "mlanet" in Path(frame.filename).parts]
    last = ours[-1] if ours else frames[-1]
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {text}"


def _forget_peak() -> None:
    with contextlib.suppress(OSError):  # then the peak is that of all mutants of this worker
        Path("/proc/self/clear_refs").write_text("5")


def _peak_mb() -> float:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1000
    except (OSError, StopIteration):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
