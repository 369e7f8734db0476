"""`mlanet live`: a face before a camera, sent on as it moves."""

import csv
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from mlanet.cli.common import (
    EXIT_OK,
    Flag,
    SomeFloat,
    SomePath,
    SomeText,
    check_file,
    complain,
    require_extra,
    say,
    say_aside,
)
from mlanet.cli.stopping import Wishes, heeded_wishes
from mlanet.errors import UsageError
from mlanet.files import atomic_path
from mlanet.sessions import DeviceName

if TYPE_CHECKING:
    from mlanet.reconstructor import Reconstructor
    from mlanet.video.capture import FaceCapture, LiveFace
    from mlanet.video.live_page import Screen
    from mlanet.video.sending import Receiver, UdpPort
    from mlanet.video.webcam import Picture, PictureSource

NEUTRAL_S = 1.0
"""How long the neutral face is looked at when it is asked for."""

LATENCIES = 10_000
"""Frames that the printed latency is of: the last ones."""

LEAST_DRAWN_S = 0.5
"""A picture is drawn at least so often, even if the next one waits already."""

MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class Receivers:
    """Who gets the face."""

    osc: SomeText = None
    """HOST:PORT of a program that takes the VMC protocol (VSeeFace, Warudo: 127.0.0.1:39539). Needs
    the extra live."""

    live_link: SomeText = None
    """HOST:PORT of a program that takes Live Link Face (Unreal Engine: 127.0.0.1:11111)."""

    record: SomePath = None
    """CSV file in the layout of Live Link Face."""


@dataclass(frozen=True, slots=True)
class Showing:
    """What is shown meanwhile."""

    show: Literal["overlay", "avatar", "nothing"] = "overlay"
    """The picture with the head over it, or the head alone as an avatar; mirrored."""

    page: Flag = False
    """Show it on a page for the browser of this computer instead of in a window."""

    port: int = 8001
    """Of the page; 0 takes one that is free."""


def live(
    *,
    source: str = "0",
    to: Annotated[Receivers, tyro.conf.OmitArgPrefixes] = Receivers(),
    showing: Annotated[Showing, tyro.conf.OmitArgPrefixes] = Showing(),
    calibrate: float = 0.0,
    smooth: float = 0.5,
    focal_length_px: SomeFloat = None,
    threads: int = 0,
    device: DeviceName = "auto",
) -> int:
    """Send the face before a camera on as it moves: ARKit weights, head and eyes.

    One person is followed. A key (n, in the window or on the page), or Enter in the terminal, says
    that the face is neutral now. Ctrl-C ends it, and prints how many milliseconds lay between a
    picture and its weights.

    Args:
        source: Number of a camera, address of a stream (rtsp://...), or a film, which is played at
            its own pace.
        to: Who gets the face.
        showing: What is shown meanwhile.
        calibrate: The first so many seconds show the neutral face.
        smooth: Between 0 (as the network saw each frame) and 1 (calmest). Blinks stay.
        focal_length_px: Focal length of the camera in pixels, if you know it; else 1.2 times the
            longer side of the picture.
        threads: CPU threads; 0 is all there are, at most 4.
        device: What runs the network: auto is a GPU of NVIDIA's where onnxruntime has it, else the
            CPU (docs/how-to/devices.md).

    Returns:
        Exit status: 0 ended by Ctrl-C, by the window or with the film, 1 the camera is not there or
        gone, or nothing can be sent (named on stderr), 2 wrong usage.
    """
    if not 0.0 <= smooth <= 1.0:
        raise UsageError(f"--smooth must lie between 0 and 1, got {smooth:g}")
    if not 0.0 <= calibrate <= 60.0:
        raise UsageError(f"--calibrate must lie between 0 and 60 seconds, got {calibrate:g}")
    if focal_length_px is not None and not 1.0 <= focal_length_px <= 1e6:
        raise UsageError(f"--focal-length-px must be positive, got {focal_length_px:g}")
    if threads < 0:
        raise UsageError(f"--threads must not be negative, got {threads}")
    if not 0 <= showing.port <= MAX_PORT:
        raise UsageError(f"--port must lie between 0 and {MAX_PORT}, got {showing.port}")
    if to.record is not None:
        check_file("--record", to.record)
    from mlanet.reconstructor import Reconstructor
    from mlanet.video.capture import FaceCapture
    from mlanet.video.webcam import PictureSource

    with ExitStack() as stack:
        ports = _ports(to, stack)
        if to.osc is not None:
            require_extra("--osc", "pythonosc", extra="live")
        pictures = stack.enter_context(PictureSource(source))
        threads = threads or min(os.cpu_count() or 1, 4)
        reconstructor = Reconstructor.load(threads=threads, device=device)
        capture = FaceCapture(reconstructor, smooth, focal_length_px)
        capture.warm_up()
        receivers = _receivers(ports, reconstructor)
        wishes = stack.enter_context(heeded_wishes())
        session = _Session(pictures, capture, receivers, wishes)
        session.screen = _screen(showing, session, stack)
        session.shown = showing.show
        if calibrate:
            capture.take_neutral(calibrate)
        _hear_enter(session.neutral)
        say_aside("running; Ctrl-C ends it, Enter says that the face is neutral now")
        return session.go(to.record)


@dataclass(slots=True)
class _Session:
    """One call of the verb."""

    pictures: "PictureSource"
    capture: "FaceCapture"
    receivers: "list[Receiver]"
    wishes: Wishes
    screen: "Screen | None" = None
    shown: str = "nothing"
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=LATENCIES))
    frames: int = 0
    seen: int = 0
    drawn_s: float = 0.0

    def neutral(self) -> None:
        """The face is neutral now."""
        self.capture.take_neutral(NEUTRAL_S)

    def end(self) -> None:
        """It is enough."""
        self.wishes.stop = True

    def go(self, record: Path | None) -> int:
        """Until somebody ends it; what was recorded is kept whatever happens."""
        start_s, failure = time.perf_counter(), None
        with _recorder(record) as add:
            try:
                for picture in self.pictures:
                    self._take(picture, add)
                    if self.wishes.stop:
                        break
            except BaseException as error:
                failure = error
        self._tell(time.perf_counter() - start_s, record)
        if failure is not None:
            raise failure
        return EXIT_OK

    def _take(self, picture: "Picture", add: "Callable[[LiveFace], None]") -> None:
        face = self.capture(picture.image, picture.time_s)
        calibrated = self.capture.neutral is not None
        for receiver in self.receivers:
            receiver.send(face, picture.time_s, calibrated=calibrated)
        now_s = time.perf_counter()
        self.frames += 1
        if face is not None:
            self.seen += 1
            self.latencies_ms.append((now_s - picture.arrived_s) * 1e3)
            add(face)
        late = now_s - self.drawn_s > LEAST_DRAWN_S
        if self.screen is not None and (late or not self.pictures.waits):
            self._draw(picture, face)
            self.drawn_s = now_s

    def _draw(self, picture: "Picture", face: "LiveFace | None") -> None:
        from mlanet.video.live_picture import live_picture

        assert self.screen is not None
        if self.screen.watched:
            shown = "avatar" if self.shown == "avatar" else "overlay"
            self.screen.show(live_picture(picture.image, face, shown, self._text(face)))

    def _text(self, face: "LiveFace | None") -> str:
        if self.capture.takes_neutral:
            return "keep a neutral face"
        if face is None:
            return "nobody is seen"
        return f"{self.latencies_ms[-1]:.0f} ms   n: neutral face"

    def _tell(self, length_s: float, record: Path | None) -> None:
        import numpy as np

        rate = self.frames / max(length_s, 1e-9)
        line = f"{self.pictures.described}: {self.frames} frames, {rate:.1f} a second"
        line += f", {self.seen} with a face"
        if self.latencies_ms:
            median, most = np.percentile(self.latencies_ms, [50.0, 95.0])
            line += f"; from picture to weights {median:.1f} ms (median), {most:.1f} ms (95 %)"
        say(line if record is None else f"{line} -> {record}")


def _ports(to: Receivers, stack: ExitStack) -> "dict[str, UdpPort]":
    """Where packets go, by option; closed at the end.

    Raises:
        UsageError: it is no address.
    """
    from mlanet.video.sending import UdpPort

    given = {"--osc": to.osc, "--live-link": to.live_link}
    ports = {name: UdpPort(name, each) for name, each in given.items() if each is not None}
    for port in ports.values():
        stack.callback(port.close)
    return ports


def _receivers(ports: "dict[str, UdpPort]", reconstructor: "Reconstructor") -> "list[Receiver]":
    from mlanet.video.sending import LiveLinkReceiver, VmcReceiver

    kinds = {"--osc": VmcReceiver, "--live-link": LiveLinkReceiver}
    return [kinds[option](reconstructor.model, port) for option, port in ports.items()]


def _screen(showing: Showing, session: _Session, stack: ExitStack) -> "Screen | None":
    """A window, or a page, or nothing with a hint."""
    from mlanet.video.live_page import LivePage, LiveWindow

    if showing.show == "nothing":
        return None
    if showing.page:
        try:
            screen: Screen = LivePage(showing.port, session.neutral)
        except OSError as error:
            error.filename = f"--port {showing.port}"
            raise
        say(screen.address)
    elif LiveWindow.possible():
        screen = LiveWindow(session.neutral, session.end)
    else:
        complain(
            "no window: this OpenCV or this computer has none (python -m pip install opencv-python"
            " instead of opencv-python-headless); --page shows the picture in the browser"
        )
        return None
    stack.callback(screen.close)
    return screen


@contextmanager
def _recorder(path: Path | None) -> "Generator[Callable[[LiveFace], None], None, None]":
    """What takes the faces that are recorded."""
    if path is None:
        yield lambda _: None
        return
    from mlanet.video.livelink import HEADER, live_link_row, live_link_values

    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="ascii") as file:
        writer: Any = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)

        def add(face: "LiveFace") -> None:
            values = live_link_values(face.head.model, face.expression[None], face.rotation[None])
            writer.writerow(live_link_row(face.time_s, values[0]))

        yield add


def _hear_enter(heard: Callable[[], None]) -> None:
    """Call a function for each line on standard input, as long as the process lives.

    Bytes are read past Python's buffer, whose lock would be missed at the end. A terminal is only
    read by who is in its foreground: others would be stopped.
    """

    def listen() -> None:
        with suppress(OSError, ValueError, AttributeError):  # no standard input
            number = sys.stdin.fileno()
            if sys.stdin.isatty() and os.name == "posix" and os.tcgetpgrp(number) != os.getpgrp():
                return
            while data := os.read(number, 1024):
                if b"\n" in data:
                    heard()

    threading.Thread(target=listen, daemon=True).start()
