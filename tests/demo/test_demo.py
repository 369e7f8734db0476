"""The demo with its real worker: good photos, bad ones, many at once."""

import base64
import io
import json
import multiprocessing
import os
import signal
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("fastapi", reason="needs the extra web")
from mlanet.demo import Limits
from mlanet.demo.worker import LOST, TOO_LONG, Worker

USERS = 16
HOSTILE = 200
MAX_KB = 2_000_000


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """The folder for temporary files of this process and of its children."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TMPDIR", str(folder))
        patched.setattr("tempfile.tempdir", str(folder))
        yield folder


@pytest.fixture(scope="module")
def client(running, temporary):
    limits = Limits(photo_bytes=2_000_000, photo_s=60.0)
    worker = Worker(limits)
    try:
        with running(worker, limits) as client:
            yield client
    finally:
        worker.close()
    assert list(temporary.iterdir()) == []


@pytest.fixture(scope="module")
def photo(face, encoded):
    return encoded(face)


@pytest.fixture(scope="module")
def two_people(face, encoded):
    both = Image.new("RGB", (2 * face.width, face.height))
    both.paste(face, (0, 0))
    both.paste(face, (face.width, 0))
    return encoded(both)


def bomb(width, height):
    """A PNG of zeros that is tiny, and huge once decoded."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(10**6))), chunk(b"IEND", b"")]
    )


def form(name, content):
    """What a form of a page sends, whose file has a name."""
    head = f'--x\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


def hostile_uploads(face, encoded):
    """200 files that no visitor with a photo would send, all small."""
    kinds = ("jpeg", "png", "webp", "tiff", "gif", "bmp")
    small = {kind: encoded(face.resize((64, 64)), kind) for kind in kinds}
    yield from (b"", b"\0", b"x", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", bytes(10**6))
    yield from (
        b"/etc/passwd",
        b"file:///etc/passwd",
        b"../../../etc/passwd",
        b"C:\\x",
        b"\\\\h\\s",
    )
    yield from (
        b"<!doctype html><script>alert(1)</script>",
        b"<svg onload='alert(1)'/>",
        b"%PDF-1.7",
    )
    yield from (b"PK\3\4" + bytes(99), b"\x1f\x8b" + bytes(99), b"\x80\4K\1.", b"#!/bin/sh\nexit\n")
    yield from (
        bomb(40_000, 40_000),
        bomb(31_000, 3_000),
        bomb(2**31 - 1, 1),
        bomb(0, 0),
        bomb(7, 99),
    )
    names = (
        "../../x.png",
        "/etc/passwd",
        "a\0b.png",
        "x" * 5000,
        "nul",
        "<b>.png",
        "\u202egnp.exe",
    )
    yield from (form(name, small["png"]) for name in names)
    cases = Path(os.environ.get("MLANET_DATA", "nowhere")).parent / "cases"
    some = [path for path in sorted(cases.rglob("*")) if path.is_file()]
    yield from (path.read_bytes() for path in some if path.stat().st_size < 50_000)
    random = np.random.default_rng(0)
    while True:  # cut and altered pictures of all kinds
        whole = bytearray(small[kinds[random.integers(len(kinds))]])
        if random.integers(2):
            yield bytes(whole[: random.integers(len(whole))])
            continue
        for place in random.integers(4, min(len(whole), 300), size=4):
            whole[place] = random.integers(256)
        yield bytes(whole)


def peak_kb(pid):
    """Most memory that a process has had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def test_a_photo_of_one_becomes_a_head_at_once(client, photo):
    status, answer = client.post("/faces", photo)
    assert status == 200
    (box,) = answer["boxes"]
    assert 0.0 < box[0] < 0.5 < box[2] < 1.0
    preview = Image.open(io.BytesIO(base64.b64decode(answer["preview"])))
    assert preview.size == (160, 160)
    files = answer["head"]
    assert base64.b64decode(files["glb"])[:4] == b"glTF"
    assert len(json.loads(files["json"])["landmarks_px"]) == 68
    assert "<title>Face</title>" in files["page"]


def test_of_several_people_each_has_a_head(client, two_people):
    status, answer = client.post("/faces", two_people)
    assert status == 200
    left, right = answer["boxes"]
    assert left[2] < 0.5 < right[0]
    assert answer["head"] is None
    status, files = client.post("/heads/1", two_people)
    assert status == 200
    assert json.loads(files["json"])["detection"]["box_px"][0] > 160
    assert "<title>Face 2</title>" in files["page"]
    assert client.post("/heads/2", two_people) == (
        422,
        {"error": "photo: there is no face 3 in it"},
    )


def test_without_a_face_it_says_so(client, encoded):
    grey = encoded(Image.new("RGB", (80, 60), "grey"))
    assert client.post("/faces", grey) == (422, {"error": "photo: no face found"})


def test_hostile_uploads_end_in_a_line_each(client, face, encoded, photo, temporary):
    uploads = hostile_uploads(face, encoded)
    for number, upload in zip(range(HOSTILE), uploads, strict=False):
        address = "/faces" if number % 2 else "/heads/0"
        status, answer = client.post(address, upload)
        if status == 200:  # some are still pictures of a face
            assert {"boxes", "glb"} & set(answer), number
            continue
        assert status == 422, (number, upload[:40], answer)
        assert set(answer) == {"error"}
        line = answer["error"]
        assert line.startswith("photo: ")
        assert "\n" not in line
        assert not [word for word in ("/src/", "/tmp", "Traceback", "root:") if word in line]
    assert client.post("/faces", bytes(3_000_000))[0] == 413
    assert client.post("/faces", photo)[0] == 200
    assert [path for path in temporary.rglob("*") if path.is_file()] == []


def test_many_at_once_get_an_answer_each(client, photo, two_people):
    def visit(number):
        return client.post("/faces", two_people if number % 2 else photo)

    with ThreadPoolExecutor(USERS + 4) as users:
        answers = list(users.map(visit, range(USERS + 4)))
    assert {status for status, _ in answers} <= {200, 503}
    assert sum(status == 200 for status, _ in answers) >= USERS
    assert all("boxes" in answer or "try again" in answer["error"] for _, answer in answers)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_is_bounded(client, encoded):
    large = encoded(Image.new("1", (9_000, 9_000)), "png")
    status, answer = client.post("/faces", large)
    assert status == 422
    assert "the limit is 50 megapixels" in answer["error"]
    (worker,) = multiprocessing.active_children()
    assert peak_kb(worker.pid) < MAX_KB


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Start a worker whose folder is below the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    earlier = {child.pid for child in multiprocessing.active_children()}
    workers = []

    def start(**limits):
        worker = Worker(Limits(**limits))
        workers.append(worker)
        worker.wait()
        (folder,) = tmp_path.iterdir()
        return worker, folder

    start.pids = lambda: {child.pid for child in multiprocessing.active_children()} - earlier
    yield start
    for worker in workers:
        worker.close()
    assert list(tmp_path.iterdir()) == []
    assert start.pids() == set()


def test_a_worker_that_takes_too_long_is_ended_and_its_files_removed(started, photo):
    worker, folder = started(photo_s=0.001)
    (first,) = started.pids()
    (folder / "left.glb").write_bytes(b"left behind")
    assert worker.ask("faces", photo) == TOO_LONG
    assert list(folder.iterdir()) == []
    assert first not in started.pids()


def test_a_worker_that_breaks_down_or_has_grown_is_replaced(started, photo):
    worker, _ = started(worn_bytes=-1)
    (first,) = started.pids()
    os.kill(first, signal.SIGKILL)
    assert worker.ask("faces", photo) == LOST
    (second,) = started.pids()
    assert worker.ask("faces", photo).status == 200
    (third,) = started.pids()
    assert len({first, second, third}) == 3
