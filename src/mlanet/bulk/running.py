"""The parent of a batch's processes: gives out parts, replaces who dies, counts."""

import json
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias, cast

from mlanet.bulk.plan import FAILURES, PICTURES, Batch, Part
from mlanet.bulk.sources import READERS
from mlanet.bulk.tables import errors_of
from mlanet.bulk.work import AT, BROKEN, DONE, DYING, Done, work
from mlanet.errors import MlanetError
from mlanet.workers import one_thread

PICTURE_S = 300.0
"""A process that is at one picture for longer is ended."""

DEATHS_PER_PICTURE = 2
"""A picture at which so many processes died is left out: one may have died of something else."""

DEATHS_AT_START = 3
"""So many processes that die before their first picture end the batch."""

POLL_S = 1.0


@dataclass(slots=True)
class Tally:
    """How far a batch is.

    Attributes:
        total: pictures of the batch.
        before: of them, those that earlier runs did.
        pictures: that this run did.
        faces: that were found in those.
        without_face: pictures of this run without a face, which is no failure.
        errors: pictures of this run without a result.
        seconds: since the first part was begun.
    """

    total: int
    before: int = 0
    pictures: int = 0
    faces: int = 0
    without_face: int = 0
    errors: int = 0
    seconds: float = 0.0

    @property
    def remaining_s(self) -> float | None:
        """What is left takes so long at this run's rate; None if that is not known."""
        left = self.total - self.before - self.pictures
        return left * self.seconds / self.pictures if self.pictures else None

    @property
    def faces_per_s(self) -> float:
        """Rate of this run."""
        return self.faces / self.seconds if self.seconds else 0.0

    def count(self, done: Done, seconds: float) -> None:
        """One more part, `seconds` after the first one was begun."""
        self.pictures += done.pictures
        self.faces += done.faces
        self.without_face += done.without_face
        self.errors += done.errors
        self.seconds = seconds


Progress: TypeAlias = Callable[[Tally], None]

Engine: TypeAlias = Callable[[Batch, Sequence[Part], int], Iterator[Done]]
"""Does parts of a batch with so many processes (0: as it sees fit), and tells what came of each.

A part may be done more than once: its files have the same names and content each time."""


def run(
    batch: Batch,
    processes: int = 0,
    progress: Progress | None = None,
    engine: Engine | None = None,
) -> tuple[Tally, int]:
    """Do all parts of a batch that are not done, in processes of one thread each.

    A process that dies is replaced, and its part begun again; a picture at which two died is left
    out and named in the table of pictures. When the run ends, `failures.jsonl` lists all pictures
    without a result.

    Args:
        batch: pictures, settings and folder.
        processes: how many; 0 is one for each CPU.
        progress: is told how far it is after each part.
        engine: where the processes run; this machine without it.

    Returns:
        What this run did, and how many pictures of the batch have no result.

    Raises:
        UsageError: the folder holds another batch, or anything else.
        MlanetError: something cannot be written, or processes cannot work; parts that are done
            stay, and another run goes on.
    """
    batch.claim()
    parts = list(batch.open_parts())
    tally = Tally(len(batch), before=len(batch) - sum(len(part.source) for part in parts))
    if parts:
        start_s: float | None = None
        for done in (engine or on_this_machine)(batch, parts, processes):
            start_s = time.monotonic() - done.seconds if start_s is None else start_s
            tally.count(done, time.monotonic() - start_s)
            if progress is not None:
                progress(tally)
    return tally, write_failures(batch)


def on_this_machine(batch: Batch, parts: Sequence[Part], processes: int) -> Iterator[Done]:
    """The engine that needs nothing: processes of this machine."""
    with Crew(batch) as crew:
        yield from crew.do(parts, processes or os.cpu_count() or 1)


def write_failures(batch: Batch) -> int:
    """List the pictures without a result, a JSON object a line; returns how many there are.

    Raises:
        DataError, OSError: a table cannot be read, or the list not be written.
    """
    storage = batch.storage
    names = [part.table(PICTURES) for part in batch.parts()]
    lines: list[str] = []
    with ThreadPoolExecutor(READERS) as readers:
        for name, content in zip(names, readers.map(storage.read, names), strict=True):
            failures = errors_of(f"{storage}/{name}", content)
            lines += [json.dumps(row) + "\n" for row in failures]
    storage.write(FAILURES, "".join(lines).encode("ascii"))
    return len(lines)


@dataclass(slots=True)
class _Hand:
    """A process and what it does."""

    process: Any
    connection: Connection
    ready: bool = False
    part: Part | None = None
    place: int | None = None
    since: float = field(default_factory=time.monotonic)
    overdue: bool = False
    reason: str = ""


class Crew:
    """Processes of this machine that do parts, one after the other, until the block ends."""

    def __init__(self, batch: Batch) -> None:
        self._batch = replace(batch, sources=())
        self._options = batch.settings.record()
        self._parts: deque[Part] = deque()
        self._hands: list[_Hand] = []
        self._deaths: dict[tuple[int, int], int] = {}
        self._deaths_at_start = 0

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            hand.process.kill()
        for hand in self._hands:
            hand.process.join()
            hand.connection.close()

    def do(self, parts: Sequence[Part], count: int) -> Iterator[Done]:
        """Do parts with at most `count` processes, which stay for the next ones.

        Raises:
            MlanetError: something cannot be written, or processes do not start.
        """
        self._parts.extend(parts)
        while len(self._hands) < min(count, len(self._parts)):
            self._hire()
        while self._parts or any(hand.part is not None for hand in self._hands):
            for hand in list(self._hands):
                if hand.ready and hand.part is None and self._parts:
                    self._give(hand)
            by_connection = {hand.connection: hand for hand in self._hands}
            for connection in wait(list(by_connection), timeout=POLL_S):
                hand = by_connection[connection]  # type: ignore[index]
                try:
                    word, *said = hand.connection.recv()
                except (EOFError, OSError):
                    self._replace(hand)
                else:
                    self._hear(hand, word, *said)
                    if word == DONE:
                        yield said[0]
            for hand in self._hands:
                if hand.place is not None and time.monotonic() - hand.since > PICTURE_S:
                    hand.overdue = True
                    hand.process.kill()

    def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        near, far = cast("tuple[Connection, Connection]", context.Pipe())
        arguments = far, self._batch, self._options
        with one_thread():
            process = context.Process(target=work, args=arguments, daemon=True)
            process.start()
        far.close()
        self._hands.append(_Hand(process, near))

    def _give(self, hand: _Hand) -> None:
        hand.part = self._parts.popleft()
        hand.since = time.monotonic()
        try:
            hand.connection.send(hand.part)
        except OSError:
            self._replace(hand)

    def _hear(self, hand: _Hand, word: str, *said: Any) -> None:
        hand.since = time.monotonic()
        if word == BROKEN:
            raise MlanetError(said[0])
        if word == DYING:
            hand.reason = said[0]
        elif word == AT:
            hand.place = said[0]
            self._deaths_at_start = 0
        else:
            hand.ready = True
            hand.part = hand.place = None

    def _replace(self, hand: _Hand) -> None:
        """Put another process in the place of one that died, and begin its part again."""
        hand.process.join()
        hand.connection.close()
        self._hands.remove(hand)
        part = hand.part
        reason = _death(hand)
        if part is None or hand.place is None:
            self._deaths_at_start += 1
            if self._deaths_at_start >= DEATHS_AT_START:
                raise MlanetError(f"the processes that read pictures do not start ({reason})")
        else:
            key = part.number, hand.place
            self._deaths[key] = self._deaths.get(key, 0) + 1
            if self._deaths[key] >= DEATHS_PER_PICTURE or hand.overdue:
                part = part.without(hand.place, reason)
        if part is not None:
            self._parts.appendleft(part)
        if self._parts:
            self._hire()


def _death(hand: _Hand) -> str:
    if hand.overdue:
        return f"takes more than {PICTURE_S:.0f} s"
    if hand.reason:
        return hand.reason
    code = hand.process.exitcode or 0
    try:
        cause = signal.Signals(-code).name if code < 0 else f"status {code}"
    except ValueError:
        cause = f"signal {-code}"
    return f"the process that read it died ({cause})"
