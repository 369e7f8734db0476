"""The server's side of the worker: asks, waits so long and no longer, starts it anew."""

import multiprocessing
import shutil
import tempfile
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import cast

from mlanet.demo.limits import Limits
from mlanet.demo.work import READY, STATUS_DIGITS, WORN, request_of, work
from mlanet.errors import MlanetError
from mlanet.sessions import DeviceName


class WorkerError(MlanetError):
    """The worker cannot be started."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the worker says of a photo: a status of HTTP, and JSON that is passed on unread."""

    status: int
    content: bytes


TOO_LONG = Answer(422, b'{"error": "photo: takes too long to read"}')
LOST = Answer(422, b'{"error": "photo: cannot be read (its reader broke down)"}')


class Worker:
    """A process that reads photos, one at a time, and a folder for its temporary files.

    One that takes too long or breaks down is ended, its files are removed, and another one is
    started. Safe to call from several threads; they take turns.
    """

    def __init__(self, limits: Limits, device: DeviceName = "auto") -> None:
        """Start the process; it gets ready on its own.

        Raises:
            OSError: there is no place for temporary files, or no process to be had.
        """
        self._limits, self._device = limits, device
        self._turn = threading.Lock()
        self._closed = False
        self._folder = Path(tempfile.mkdtemp(prefix="mlanet-demo-"))
        self._process: BaseProcess
        self._connection: Connection
        self._start()

    def wait(self) -> None:
        """Return when the process is ready.

        Raises:
            WorkerError: it cannot be; the message says why.
        """
        with self._turn:
            self._ready_connection()

    def ask(self, task: str, photo: bytes, number: int | None = None) -> Answer:
        """What the worker says of a photo (`mlanet.demo.tasks`).

        Raises:
            WorkerError: there is no worker, and none can be started.
        """
        with self._turn:
            connection = self._ready_connection()
            try:
                connection.send_bytes(request_of(task, photo, number))
                if not connection.poll(self._limits.photo_s):
                    self._restart()
                    return TOO_LONG
                answer = connection.recv_bytes(self._limits.answer_bytes)
                status, worn = int(answer[:STATUS_DIGITS]), answer[STATUS_DIGITS:][:1] == WORN
                if worn:
                    self._restart()
                return Answer(status, answer[STATUS_DIGITS + 1 :])
            except (EOFError, OSError, ValueError):
                self._restart()
                return LOST

    def close(self) -> None:
        """End the process, at once, and remove its folder."""
        self._closed = True
        self._process.kill()  # whoever waits for its answer gets `LOST`
        with self._turn:
            self._end()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _ready_connection(self) -> Connection:
        if self._ready:
            return self._connection
        said = b""
        try:
            if self._connection.poll(self._limits.start_s):
                said = self._connection.recv_bytes(self._limits.answer_bytes)
        except (EOFError, OSError):
            pass
        if said != READY:
            self._restart()
            reason = said[STATUS_DIGITS + 1 :].decode("utf-8", "replace")
            raise WorkerError(f"photos cannot be read: {reason or 'the worker does not start'}")
        self._ready = True
        return self._connection

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        near, far = cast("tuple[Connection, Connection]", context.Pipe())
        self._connection, self._ready = near, False
        self._process = context.Process(
            target=work, args=(far, str(self._folder), self._limits, self._device), daemon=True
        )
        self._process.start()
        far.close()

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _restart(self) -> None:
        self._end()
        for left in self._folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        if not self._closed:
            self._start()
