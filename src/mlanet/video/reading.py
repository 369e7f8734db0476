"""Films read frame by frame, as they are shown, through PyAV."""

import os
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import FilmError, FilmWarning
from mlanet.files import one_line

MOST_PX = 16384
"""Longest side of a frame."""

USUAL_RATE, MOST_RATE = Fraction(30), 1000
"""Frames per second of films that do not say how many, or say nonsense."""

MISSING_S = 0.5
"""A film that ends so much earlier than it says is damaged."""

PICTURE_FORMATS = ("image2", "_pipe")
"""What the names of FFmpeg's formats for single pictures end with."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a film.

    Attributes:
        image: RGB, turned upright, of square pixels.
        pts: its time in units of `Film.time_base`.
        time_s: since the film's beginning.
    """

    image: UInt8[np.ndarray, "h w 3"]
    pts: int
    time_s: float


@dataclass(frozen=True, slots=True)
class Film:
    """What a film says of itself.

    Attributes:
        path: of the file.
        size: height and width in pixels as it is shown: upright, of square pixels.
        time_base: seconds in a unit of time.
        start_pts: the beginning of the film in these units; sound begins there, too.
        rate: frames per second on average.
        num_frames: an estimate for showing progress; 0 if the film does not say.
        has_audio: whether there is sound.
    """

    path: Path
    size: tuple[int, int]
    time_base: Fraction
    start_pts: int
    rate: Fraction
    num_frames: int
    has_audio: bool

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Film":
        """Look at a film without reading it all.

        Raises:
            FilmError: it cannot be read, is a picture, or has no video stream.
            OSError: there is no such file, or no permission to read it.
        """
        file = Path(path)
        with opened(file) as container:
            stream = container.streams.video[0]
            rate = stream.average_rate or stream.guessed_rate or USUAL_RATE
            rate = Fraction(rate) if 0 < rate <= MOST_RATE else USUAL_RATE
            base, start = stream.time_base, container.start_time or 0
            length_s = float((container.duration or 0) / 1e6)
            first = next(iter(_decoded(container, stream, file, quiet=True)), None)
            if first is None:
                raise FilmError(f"{file}: not one frame can be read")
            return cls(
                path=file,
                size=_shown_size(first, stream),
                time_base=base,
                start_pts=round(Fraction(start, 1_000_000) / base),
                rate=rate,
                num_frames=stream.frames or round(length_s * float(rate)),
                has_audio=bool(container.streams.audio),
            )

    def frames(self, since: int = 0) -> Iterator[Frame]:
        """The frames in order, from number `since` on; those before are read and left out.

        What cannot be decoded is left out with a `FilmWarning`, once.

        Raises:
            FilmError: the film cannot be opened any more.
        """
        with opened(self.path) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(_ordered(_decoded(container, stream, self.path))):
                if number >= since:
                    yield self._shown(frame)

    def frame_at(self, pts: int) -> Frame | None:
        """The frame of a time, if there is one."""
        with opened(self.path) as container:
            stream = container.streams.video[0]
            container.seek(pts, stream=stream)
            for frame in _ordered(_decoded(container, stream, self.path, quiet=True)):
                if frame.pts >= pts:
                    return self._shown(frame) if frame.pts == pts else None
        return None

    def time_s(self, pts: int) -> float:
        """Seconds since the beginning of the film."""
        return float((pts - self.start_pts) * self.time_base)

    def _shown(self, frame: Any) -> Frame:
        height, width = self.size
        turns = _quarter_turns(frame)
        if turns % 2:
            height, width = width, height
        pixels = frame.to_ndarray(format="rgb24", width=width, height=height)
        image = np.ascontiguousarray(np.rot90(pixels, turns))
        return Frame(image, frame.pts, self.time_s(frame.pts))


@contextmanager
def opened(path: Path) -> Generator[Any, None, None]:
    """A film's container, open for reading.

    Raises:
        FilmError: it cannot be read, is a picture, or has no video stream.
        OSError: there is no such file, or no permission to read it.
    """
    import av
    from av.error import FFmpegError

    with path.open("rb"):  # a missing file is no broken film
        pass
    try:
        container = av.open(str(path), metadata_errors="replace")
    except FFmpegError as error:
        raise FilmError(f"{path}: no film that can be read ({_why(error)})") from error
    with container:
        if container.format.name.endswith(PICTURE_FORMATS):
            raise FilmError(f"{path}: a picture, not a film; mlanet reconstruct takes pictures")
        streams = container.streams.video
        if not streams or not _is_moving(streams[0]):
            raise FilmError(f"{path}: has no video stream")
        yield container


def _is_moving(stream: Any) -> bool:
    """Not a cover picture, and of a codec and size that are known."""
    context = stream.codec_context
    cover = "attached_pic" in str(stream.disposition)
    return not cover and context is not None and max(context.width, context.height) <= MOST_PX


def _decoded(container: Any, stream: Any, path: Path, *, quiet: bool = False) -> Iterator[Any]:
    """Frames as they come out of the decoder; what is damaged is left out, and told at the end."""
    from av.error import FFmpegError, InvalidDataError

    damage, last = "", None
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            decoded = packet.decode()
        except FFmpegError as error:
            damage = damage or _why(error)
            if not isinstance(error, InvalidDataError):
                break
            continue
        for frame in decoded:
            if frame.is_corrupt:
                damage = damage or "damaged frames"
            if frame.pts is not None:
                last = frame
            yield frame
    if quiet:
        return
    if not damage and last is not None and container.duration:
        ends_s = float((container.start_time or 0) + container.duration) / 1e6
        if stream.duration is not None:
            ends_s = float((stream.start_time or 0) + stream.duration) * float(stream.time_base)
        lacks_s = ends_s - float(last.pts * stream.time_base)
        if lacks_s > MISSING_S + 2.0 / float(stream.average_rate or 1):
            damage = f"ends {lacks_s:.1f} s early"
    if damage:
        warnings.warn(f"{path}: damaged ({damage}); what can be read is used", FilmWarning, 2)


def _ordered(frames: Iterator[Any]) -> Iterator[Any]:
    """Frames whose time is known and later than that of all before."""
    last = None
    for frame in frames:
        if frame.pts is not None and (last is None or frame.pts > last):
            last = frame.pts
            yield frame


def _quarter_turns(frame: Any) -> int:
    """By which `numpy.rot90` makes a frame upright."""
    return round(frame.rotation / 90.0) % 4


def _shown_size(frame: Any, stream: Any) -> tuple[int, int]:
    """Height and width once pixels are square and the frame is upright."""
    aspect = stream.sample_aspect_ratio or Fraction(1)
    width = max(round(frame.width * aspect), 1) if Fraction(1, 8) < aspect < 8 else frame.width
    return (width, frame.height) if _quarter_turns(frame) % 2 else (frame.height, width)


def _why(error: Exception) -> str:
    return one_line(getattr(error, "strerror", None) or error)
