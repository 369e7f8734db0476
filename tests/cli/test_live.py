import csv
import os
import re
import signal
import socket
import struct
import sys
import time
import urllib.error
import urllib.request

import cv2
import numpy as np
import pytest

from mlanet.cli import main
from mlanet.morphable import AlbedoModel, load_model
from mlanet.synthesis.films import RenderedFilm, acted, random_actor
from mlanet.video.capture import FaceCapture
from mlanet.video.live_page import LivePage

FRAMES = 16

BEGUN = "running; Ctrl-C ends it, Enter says that the face is neutral now\n"


def status_of(*words):
    with pytest.raises(SystemExit) as stop:
        main(["live", "--threads", "1", *map(str, words)])
    return stop.value.code


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A person who opens the mouth and turns to their right."""
    model = AlbedoModel.load().on(load_model())
    times_s = np.arange(FRAMES) / 15.0
    zero = 0.0 * times_s
    angles = np.stack([zero, 20.0 * times_s, zero], axis=1)
    place = np.stack([zero, zero, 650.0 + zero], axis=1)
    weights = acted(model, times_s, {"jawOpen": np.minimum(times_s, 1.0)})
    actor = random_actor(model, np.random.default_rng(2), weights, angles, place)
    film = RenderedFilm(model, (actor,), times_s, size=(240, 320))
    path = str(tmp_path_factory.mktemp("film") / "talk.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 15.0, (320, 240))
    for k in range(len(film)):
        writer.write(film[k][..., ::-1])
    writer.release()
    return path


@pytest.fixture
def listener():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.settimeout(0.2)
        yield bound


def port_of(bound):
    return bound.getsockname()[1]


def received(bound):
    packets = []
    try:
        while True:
            packets.append(bound.recv(65535))
    except TimeoutError:
        return packets


def test_a_film_is_sent_recorded_and_timed(source, listener, tmp_path, capsys):
    record = tmp_path / "take.csv"
    address = f"127.0.0.1:{port_of(listener)}"
    words = ("--source", source, "--live-link", address, "--record", record, "--show", "nothing")
    assert status_of(*words) == 0
    said = capsys.readouterr()
    assert said.err == BEGUN
    assert re.search(rf"{FRAMES} frames, .* {FRAMES} with a face; .* ms \(median\)", said.out)
    packets = received(listener)
    assert len(packets) == FRAMES
    sent = np.array([struct.unpack(">61f", packet[-244:]) for packet in packets])
    with record.open() as file:
        rows = list(csv.DictReader(file))
    jaw, yaw = ([float(row[name]) for row in rows] for name in ("JawOpen", "HeadYaw"))
    assert np.allclose(sent[:, 17], jaw, atol=1e-5)
    assert np.allclose(sent[:, 52], yaw, atol=1e-5)
    assert np.corrcoef(jaw, np.arange(FRAMES))[0, 1] > 0.8
    assert np.corrcoef(yaw, np.arange(FRAMES))[0, 1] > 0.9
    assert rows[3]["Timecode"] == "00:00:00:12.000"


def test_the_same_film_as_osc_from_the_neutral_face_on(source, listener, capsys):
    pytest.importorskip("pythonosc", reason="needs the extra live")
    from pythonosc.osc_packet import OscPacket

    address = f"127.0.0.1:{port_of(listener)}"
    assert status_of("--source", source, "--osc", address, "--calibrate", 0.2) == 0
    assert capsys.readouterr().err.count("\n") <= 2  # perhaps the hint that there is no window
    found = [m.message for packet in received(listener) for m in OscPacket(packet).messages]
    states = [message.params[1] for message in found if message.address == "/VMC/Ext/OK"]
    assert len(states) == FRAMES
    assert (states[0], states[-1]) == (0, 3)
    jaw = [m.params[1] for m in found if m.address.endswith("/Val") and m.params[0] == "jawOpen"]
    assert len(jaw) == FRAMES
    assert jaw[-1] > jaw[5]


def interrupting(monkeypatch, number):
    """Ctrl-C while frame `number` is looked at."""
    calls, look = [], FaceCapture.__call__

    def interrupted(self, image, time_s):
        calls.append(time_s)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return look(self, image, time_s)

    monkeypatch.setattr(FaceCapture, "__call__", interrupted)


def test_ctrl_c_ends_it_and_keeps_the_recording(source, tmp_path, monkeypatch, capsys):
    interrupting(monkeypatch, 4)
    record = tmp_path / "take.csv"
    assert status_of("--source", source, "--record", record, "--show", "nothing") == 0
    said = capsys.readouterr()
    assert said.err == BEGUN
    assert ": 4 frames" in said.out
    assert len(record.read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (("--source", "no.mp4"), 1, "no.mp4: No such file or directory"),
        (("--source", "text.mp4"), 1, "text.mp4: no film that can be read"),
        (("--source", "photo.png"), 1, "photo.png: a picture, not a film; mlanet reconstruct"),
        (("--source", "977"), 1, "camera 977: is not there, or is in use"),
        (("--osc", "127.0.0.1"), 2, "--osc must be HOST:PORT"),  # before a camera is opened
        (("--smooth", "2"), 2, "--smooth must lie between 0 and 1"),
        (("--calibrate", "-1"), 2, "--calibrate must lie between 0 and 60 seconds"),
        (("--port", "70000"), 2, "--port must lie between 0 and 65535"),
        (("--record", "."), 2, "--record . is a folder"),
    ],
)
def test_what_cannot_be_is_one_line(words, status, line, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.mp4").write_text("no film")
    cv2.imwrite("photo.png", np.zeros((20, 20, 3), np.uint8))
    assert status_of(*words) == status
    (error,) = capfd.readouterr().err.splitlines()
    assert error.startswith(f"mlanet: {line}")


@pytest.mark.parametrize("address", ["39539", "host:", "127.0.0.1:0", "127.0.0.1:x", "a b:11111"])
def test_addresses_that_are_none_are_wrong_usage(source, address, capsys):
    assert status_of("--source", source, "--live-link", address) == 2
    assert "--live-link" in capsys.readouterr().err


class PulledOut:
    """A camera that gives three pictures."""

    def __init__(self, *_):
        self.left = 3

    def isOpened(self):  # noqa: N802
        return True

    def read(self):
        time.sleep(0.2)
        self.left -= 1
        return (True, np.zeros((60, 80, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self):
        pass


def test_a_camera_that_goes_away_is_one_line_and_the_recording_is_kept(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(cv2, "VideoCapture", PulledOut)
    record = tmp_path / "take.csv"
    assert status_of("--record", record, "--show", "nothing") == 1
    said = capsys.readouterr()
    assert said.err == BEGUN + "mlanet: camera 0: gives no more pictures\n"
    assert "frames" in said.out
    assert record.read_text().startswith("Timecode,")


def test_a_line_on_standard_input_asks_for_the_neutral_face(source, monkeypatch, capsys):
    asked, take = [], FaceCapture.take_neutral
    monkeypatch.setattr(FaceCapture, "take_neutral", lambda s, t: (asked.append(t), take(s, t)))
    reading, writing = os.pipe()
    os.write(writing, b"\n")
    with os.fdopen(reading) as lines, monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", lines)
        assert status_of("--source", source, "--show", "nothing") == 0
        os.close(writing)
    assert asked == [1.0]
    capsys.readouterr()


@pytest.fixture
def page():
    asked = []
    page = LivePage(0, lambda: asked.append(True))
    yield page, asked
    page.close()


def answered(page, path, method="GET", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(page.address + path, method=method, headers=named)
    return urllib.request.urlopen(request, timeout=5.0)


def test_the_page_streams_the_picture_and_takes_the_key(page):
    page, asked = page
    assert b"/stream" in answered(page, "").read()
    assert not page.watched
    with answered(page, "stream") as stream:
        image = np.full((40, 60, 3), (200, 100, 50), np.uint8)
        while not page.watched:
            time.sleep(0.01)
        page.show(image)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += stream.read(1)
        (length,) = re.findall(rb"Content-Length: (\d+)", head)
        shown = cv2.imdecode(np.frombuffer(stream.read(int(length)), np.uint8), 1)
        assert np.abs(shown[..., ::-1].astype(int) - image).max() < 12
    assert answered(page, "neutral", "POST").status == 200
    assert answered(page, "alive").status == 200  # which the page asks to tell the end
    assert asked == [True]


def test_a_browser_that_hangs_up_is_no_error(page, capfd):
    page, _ = page
    for _ in range(20):
        with socket.create_connection(page.hosts[0].split(":"), timeout=5.0) as asking:
            asking.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            asking.sendall(f"GET / HTTP/1.1\r\nHost: {page.hosts[0]}\r\n\r\n".encode())
    assert answered(page, "").status == 200
    time.sleep(0.2)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:80"},
        {"Origin": "https://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
    ],
)
@pytest.mark.parametrize(("path", "method"), [("", "GET"), ("stream", "GET"), ("neutral", "POST")])
def test_other_sites_neither_see_the_camera_nor_press_the_key(page, headers, path, method):
    page, asked = page
    with pytest.raises(urllib.error.HTTPError, match="403"):
        answered(page, path, method, **headers)
    assert not asked
