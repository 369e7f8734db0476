"""Films written as H.264 in MP4, with the sound of another one."""

import os
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import FilmError
from mlanet.video.reading import Film, opened

QUALITY = 20
"""Constant rate factor of x264: below 18 nothing better is seen, above 28 much is worse."""

KEY_FRAME_S = 2.0
"""A film that breaks off can be played up to the last frame that stands for itself."""

COPIED_AUDIO = ("aac", "mp3", "ac3", "eac3", "opus", "alac", "flac")
"""Sound that MP4 files take as it is; other sound becomes AAC."""

FRAGMENTS = {"movflags": "+hybrid_fragmented+delay_moov+frag_keyframe", "flush_packets": "1"}
"""The file can be played while it is written, up to what was written last, and is an ordinary one
once it is whole."""


@contextmanager
def film_like(film: Film, path: str | os.PathLike[str]) -> Generator["FilmWriter", None, None]:
    """A film of another one's size, times and sound, written to `path`.

    However the block ends, what was written by then can be played.

    Raises:
        OSError: it cannot be written, of a full disk, say.
    """
    with FilmWriter(film, Path(path)) as writer:
        yield writer


class FilmWriter:
    """See `film_like`."""

    def __init__(self, film: Film, path: Path) -> None:
        self._film, self._path = film, path
        self._sound: _Sound | None = None

    def __enter__(self) -> "FilmWriter":
        """Open the file."""
        import av

        with self._errors():
            self._container: Any = av.open(str(self._path), "w", format="mp4", options=FRAGMENTS)
            height, width = self._film.size
            stream: Any = self._container.add_stream("libx264", rate=self._film.rate)
            stream.width, stream.height = width + width % 2, height + height % 2
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": str(QUALITY), "preset": "veryfast"}
            stream.options["g"] = str(max(round(self._film.rate * KEY_FRAME_S), 1))
            stream.time_base = stream.codec_context.time_base = self._film.time_base
            self._stream = stream
            if self._film.has_audio:
                self._sound = _Sound(self._film, self._container)
            self._container.start_encoding()
        return self

    def write(self, image: UInt8[np.ndarray, "h w 3"], pts: int) -> None:
        """The next frame, of the film's size; odd sides are filled up to even ones.

        The film that is written begins at 0.

        Raises:
            OSError: it cannot be written.
        """
        import av

        height, width = self._film.size
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = pts - self._film.start_pts, self._film.time_base
        with self._errors():
            if self._sound is not None:
                self._sound.until(float(pts * self._film.time_base))
            self._container.mux(self._stream.encode(frame))

    def __exit__(self, kind: object, *_: object) -> None:
        """Write what is left and close the file."""
        if kind is None:
            with self._errors():
                self._finish(whole=True)
        else:
            with suppress(Exception):
                self._finish(whole=False)

    def _finish(self, *, whole: bool) -> None:
        try:
            self._container.mux(self._stream.encode(None))
            if self._sound is not None and whole:
                self._sound.until(float("inf"))
        finally:
            if self._sound is not None:
                self._sound.close()
            self._container.close()

    @contextmanager
    def _errors(self) -> Generator[None, None, None]:
        """FFmpeg's errors of writing as those of the system, naming the file."""
        from av.error import FFmpegError

        try:
            yield
        except FFmpegError as error:
            raise OSError(error.errno, error.strerror, str(self._path)) from error


class _Sound:
    """The sound of a film on its way into another one."""

    def __init__(self, film: Film, target: Any) -> None:
        self._context = opened(film.path)
        self._start_s = film.start_pts * film.time_base
        self._container = self._context.__enter__()
        stream = self._container.streams.audio[0]
        self._copied = stream.codec_context is not None and (
            stream.codec_context.name.startswith(COPIED_AUDIO)
        )
        self._target, self._waiting = target, deque[Any]()
        if self._copied:
            self._stream = target.add_stream_from_template(stream)
        else:
            self._stream = target.add_stream("aac", rate=stream.rate)
        self._packets = self._container.demux(stream)
        self._ended = False

    def until(self, time_s: float) -> None:
        """Write what sounds before a time; damaged sound ends it."""
        while not self._ended:
            packet = self._waiting.popleft() if self._waiting else self._next()
            if packet is None:
                return
            if packet.dts is not None and float(packet.dts * packet.time_base) > time_s:
                self._waiting.append(packet)
                return
            if not self._copied:
                for frame in packet.decode():
                    frame.pts -= round(self._start_s / frame.time_base)
                    self._target.mux(self._stream.encode(frame))
            elif packet.dts is not None:
                start = round(self._start_s / packet.time_base)
                packet.pts, packet.dts = packet.pts - start, packet.dts - start
                packet.stream = self._stream
                self._target.mux(packet)

    def _next(self) -> Any:
        from av.error import FFmpegError

        try:
            packet = next(self._packets, None)
        except FFmpegError:
            packet = None
        if packet is None:
            self._ended = True
            if not self._copied:
                self._target.mux(self._stream.encode(None))
        return packet

    def close(self) -> None:
        """Close the source."""
        with suppress(FilmError):
            self._context.__exit__(None, None, None)
