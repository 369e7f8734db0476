"""Heads that processes render beside a training, into tensors of its device."""

import multiprocessing
import os
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.context import BaseContext

import numpy as np
import torch

from mlanet.errors import DataError
from mlanet.morphable import MorphableModel
from mlanet.synthesis import RenderedHeads
from mlanet.training.resident_store import Store
from mlanet.training.sources import HeadSource
from mlanet.workers import THREAD_COUNTS, end_with_parent

CHUNK = 64
"""Heads that a process renders at once."""

FIRST = 2048
"""Heads that are waited for before the first step."""

_own: HeadSource | None = None
"""What a rendering process draws."""


class RenderedBeside:
    """Heads in the order of their numbers, as far as they are rendered.

    Args:
        heads: all that may be rendered; the store has room for them.
        model: the face model.
        device: torch's name of the device.
        workers: processes that render.
    """

    def __init__(
        self, heads: RenderedHeads, model: MorphableModel, device: str, workers: int
    ) -> None:
        self.store = Store.empty(len(heads), heads.size, model, device)
        self._model = model
        self._ready = 0
        self._enough = threading.Condition()
        self._failed: BaseException | None = None
        self._stopped = False
        self._pool = ProcessPoolExecutor(
            workers, mp_context=_context(), initializer=_begin, initargs=(heads,)
        )
        self._ahead = 2 * workers
        self._thread = threading.Thread(target=self._collect, args=(len(heads),), daemon=True)
        self._thread.start()

    @property
    def ready(self) -> int:
        """How many heads there are so far."""
        return self._ready

    def wait(self) -> int:
        """How many heads there are, once these are `FIRST` or all.

        Raises:
            DataError: the rendering failed.
        """
        enough = min(FIRST, len(self.store.images))
        with self._enough:
            self._enough.wait_for(lambda: self._failed is not None or self._ready >= enough)
        if self._failed is not None:
            raise DataError(f"rendered heads: {self._failed}") from self._failed
        return self._ready

    def close(self) -> None:
        """Stop rendering."""
        self._stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._thread.join()

    def _collect(self, count: int) -> None:
        starts = iter(range(0, count, CHUNK))
        coming: deque[tuple[int, Future[_Chunk]]] = deque()
        try:
            while not self._stopped:
                while len(coming) < self._ahead and (start := next(starts, None)) is not None:
                    stop = min(start + CHUNK, count)
                    coming.append((start, self._pool.submit(_render, start, stop)))
                if not coming:
                    break
                start, future = coming.popleft()
                self._take(start, future.result())
        except BaseException as error:
            if not self._stopped:
                with self._enough:
                    self._failed = error
                    self._enough.notify_all()
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _take(self, start: int, chunk: "_Chunk") -> None:
        images, landmarks, coefficients = chunk
        count, side = images.shape[:2]
        device = self.store.images.device
        part = Store.empty(count, side, self._model, str(device))
        part.images.copy_(torch.from_numpy(images))
        part.landmarks_px.copy_(torch.from_numpy(landmarks))
        part.coefficients.copy_(torch.from_numpy(coefficients))
        part.has_depth.fill_(1.0)
        part.known.fill_(1.0)
        part.squares_px[:, 2] = float(side)
        self.store.write(start, part)
        with self._enough:
            self._ready = start + count
            self._enough.notify_all()


_Chunk = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Pictures, landmarks and coefficients of heads."""


def _context() -> BaseContext:
    """How the processes start: not as copies of this one, in which other threads run.

    Where the system can, they are copies of a server that has imported all they need and has one
    thread of arithmetic.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    before = {name: os.environ.get(name) for name in THREAD_COUNTS}
    os.environ.update(dict.fromkeys(THREAD_COUNTS, "1"))
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return context


def _begin(heads: RenderedHeads) -> None:
    import cv2

    global _own
    end_with_parent()
    cv2.setNumThreads(1)
    _own = HeadSource(heads)


def _render(start: int, stop: int) -> _Chunk:
    assert _own is not None, "the process has not begun"
    faces = [_own[index] for index in range(start, stop)]
    return (
        np.stack([face.image for face in faces]),
        np.stack([face.landmarks_px for face in faces]).astype(np.float32),
        np.stack([face.coefficients for face in faces]).astype(np.float32),
    )
