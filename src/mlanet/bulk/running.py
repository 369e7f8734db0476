"""The parent of a batch's processes: gives out parts, replaces who dies, counts."""

import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import Any, TypeAlias, cast

from mlanet.bulk.plan import FAILURES, PICTURES, Batch, Part
from mlanet.bulk.tables import errors_of
from mlanet.bulk.work import AT, BROKEN, DONE, DYING, READY, work
from mlanet.errors import MlanetError
from mlanet.files import atomic_path
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
        seconds: since the first process was ready.
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


Progress: TypeAlias = Callable[[Tally], None]


def run(batch: Batch, processes: int = 0, progress: Progress | None = None) -> tuple[Tally, int]:
    """Do all parts of a batch that are not done, in processes of one thread each.

    A process that dies is replaced, and its part begun again; a picture at which two died is left
    out and named in the table of pictures. When the run ends, `failures.jsonl` lists all pictures
    without a result.

    Args:
        batch: pictures, settings and folder.
        processes: how many; 0 is one for each CPU.
        progress: is told how far it is after each part.

    Returns:
        What this run did, and how many pictures of the batch have no result.

    Raises:
        UsageError: the folder holds another batch, or anything else.
        MlanetError: something cannot be written, or processes cannot work; parts that are done
            stay, and another run goes on.
    """
    batch.claim()
    tally = Tally(len(batch))
    open_parts: list[Part] = []
    for part in batch.parts():
        if batch.is_done(part):
            tally.before += len(part.source)
        else:
            open_parts.append(part)
    if open_parts:
        count = min(processes or os.cpu_count() or 1, len(open_parts))
        with _Crew(batch, deque(open_parts), tally, progress) as crew:
            crew.run(count)
    return tally, write_failures(batch)


def write_failures(batch: Batch) -> int:
    """List the pictures without a result, a JSON object a line; returns how many there are.

    Raises:
        DataError, OSError: a table cannot be read, or the list not be written.
    """
    import json

    count = 0
    with atomic_path(batch.folder / FAILURES) as temporary, temporary.open("w") as file:
        for part in batch.parts():
            for row in errors_of(batch.table(PICTURES, part)):
                file.write(json.dumps(row) + "\n")
                count += 1
    return count


@dataclass(slots=True)
class _Hand:
    """A process and what it does."""

    process: Any
    connection: Connection
    part: Part | None = None
    place: int | None = None
    since: float = field(default_factory=time.monotonic)
    overdue: bool = False
    reason: str = ""


class _Crew:
    """Processes that do parts."""

    def __init__(
        self, batch: Batch, parts: deque[Part], tally: Tally, progress: Progress | None
    ) -> None:
        self._batch, self._parts, self._tally, self._progress = batch, parts, tally, progress
        self._options = batch.settings.record()
        self._hands: list[_Hand] = []
        self._deaths: dict[tuple[int, int], int] = {}
        self._deaths_at_start = 0
        self._start_s: float | None = None
        self._given = 0

    def __enter__(self) -> "_Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for hand in self._hands:
            hand.process.kill()
        for hand in self._hands:
            hand.process.join()
            hand.connection.close()

    def run(self, count: int) -> None:
        """Do all parts with `count` processes."""
        for _ in range(count):
            self._hire()
        while self._parts or any(hand.part is not None for hand in self._hands):
            by_connection = {hand.connection: hand for hand in self._hands}
            for connection in wait(list(by_connection), timeout=POLL_S):
                hand = by_connection[connection]  # type: ignore[index]
                try:
                    self._hear(hand, *hand.connection.recv())
                except (EOFError, OSError):
                    self._replace(hand)
            for hand in self._hands:
                if hand.place is not None and time.monotonic() - hand.since > PICTURE_S:
                    hand.overdue = True
                    hand.process.kill()

    def _hire(self) -> None:
        context = multiprocessing.get_context("spawn")
        near, far = cast("tuple[Connection, Connection]", context.Pipe())
        work_of = replace(self._batch, sources=())
        with one_thread():
            process = context.Process(target=work, args=(far, work_of, self._options), daemon=True)
            process.start()
        far.close()
        self._hands.append(_Hand(process, near))

    def _hear(self, hand: _Hand, word: str, *said: Any) -> None:
        hand.since = time.monotonic()
        if word == BROKEN:
            raise MlanetError(said[0])
        if word == DYING:
            hand.reason = said[0]
            return
        if word == AT:
            hand.place = said[0]
            self._deaths_at_start = 0
            return
        if word == READY and self._start_s is None:
            self._start_s = time.monotonic()
        if word == DONE:
            self._count(said[0])
        hand.part = hand.place = None
        if self._parts:
            hand.part = self._parts.popleft()
            hand.connection.send(hand.part)

    def _count(self, done: Any) -> None:
        tally = self._tally
        tally.pictures += done.pictures
        tally.faces += done.faces
        tally.without_face += done.without_face
        tally.errors += done.errors
        tally.seconds = time.monotonic() - (self._start_s or time.monotonic())
        if self._progress is not None:
            self._progress(tally)

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
