"""Pictures of a webcam, an address or a film, as they come, through OpenCV."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import FilmError, ImageError
from mlanet.image.kinds import START_BYTES, kind_of
from mlanet.image.quiet import quiet

STALLED_S = 5.0
"""A camera that gives no picture for so long is gone."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A picture that has just come.

    Attributes:
        image: RGB.
        time_s: since the first one.
        arrived_s: when it came, by `time.perf_counter`.
    """

    image: UInt8[np.ndarray, "h w 3"]
    time_s: float
    arrived_s: float


class PictureSource:
    """Pictures of a camera, the newest one first, or of a film at its own pace.

        with PictureSource("0") as source:
            for picture in source:
                ...

    Of a camera and of an address, pictures that come while nobody asks are left out. Of a film,
    none is.

    Args:
        name: number of a camera, path of a film, or address of a stream (`rtsp://...`).
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_film = not name.isdecimal() and "://" not in name
        self._latest: tuple[np.ndarray, float] | None = None
        self._ended, self._closed = False, False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def described(self) -> str:
        """What messages call it."""
        return f"camera {self.name}" if self.name.isdecimal() else self.name

    def __enter__(self) -> "PictureSource":
        """Open it.

        Raises:
            FilmError: there is no such camera, or it gives no pictures.
            OSError: there is no such file, or no permission to read it.
        """
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        import cv2

        if self.is_film:
            _check_film(Path(self.name))
        with quiet():
            number = int(self.name) if self.name.isdecimal() else self.name
            self._capture: Any = cv2.VideoCapture(number)
        if not self._capture.isOpened():
            what = "no film that can be read" if self.is_film else "gives no pictures"
            if self.name.isdecimal():
                what = "is not there, or is in use, or may not be used by this program"
            raise FilmError(f"{self.described}: {what}")
        if not self.is_film:
            self._thread = threading.Thread(target=self._read_on, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        self._closed = True
        if self._thread is not None:
            self._thread.join(1.0)
            if self._thread.is_alive():  # the camera hangs; it goes with the process
                return
        self._capture.release()

    def __iter__(self) -> Iterator[Picture]:
        """The pictures; a film's end ends them.

        Raises:
            FilmError: a camera or a stream is gone.
        """
        return self._film() if self.is_film else self._newest()

    def _film(self) -> Iterator[Picture]:
        import cv2

        start, last_s = time.perf_counter(), -1.0
        while True:
            read, image = self._capture.read()
            if not read:
                return
            time_s = max(self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1e3, last_s + 1e-3)
            last_s = time_s
            time.sleep(max(start + time_s - time.perf_counter(), 0.0))
            arrived_s = time.perf_counter()
            yield Picture(_rgb(image), time_s, arrived_s)

    def _newest(self) -> Iterator[Picture]:
        first_s = None
        while True:
            with self._changed:
                come = self._changed.wait_for(
                    lambda: self._latest is not None or self._ended, STALLED_S
                )
                latest, self._latest = self._latest, None
            if latest is None:
                why = "gives no more pictures" if come else f"no picture for {STALLED_S:g} s"
                raise FilmError(f"{self.described}: {why}")
            image, arrived_s = latest
            first_s = arrived_s if first_s is None else first_s
            yield Picture(_rgb(image), arrived_s - first_s, arrived_s)

    @property
    def waits(self) -> bool:
        """Whether a newer picture has come already."""
        return self._latest is not None

    def _read_on(self) -> None:
        read = True
        while read and not self._closed:
            image = None
            with suppress(Exception):  # OpenCV's, of a camera that was pulled out
                image = self._capture.read()[1]
            read = image is not None
            with self._changed:
                if image is not None:
                    self._latest = image, time.perf_counter()
                self._ended = not read
                self._changed.notify()


def _check_film(path: Path) -> None:
    """Refuse pictures, which FFmpeg takes for films of one frame; a missing file says so itself."""
    with path.open("rb") as file:
        start = file.read(START_BYTES)
    kind = None
    with suppress(ImageError):
        kind = kind_of(start, str(path))
    if kind not in (None, "GIF"):
        raise FilmError(f"{path}: a picture, not a film; mlanet reconstruct takes pictures")


def _rgb(image: Any) -> UInt8[np.ndarray, "h w 3"]:
    import cv2

    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
