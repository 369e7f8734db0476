import socket
import threading
import time

import pytest

pytest.importorskip("fastapi", reason="needs the extra web")
from mlanet.demo import Limits
from mlanet.demo.app import PAGES
from mlanet.demo.worker import Answer, WorkerError

LIMITS = Limits(photo_bytes=1000, places=3, upload_s=0.3)


class Echo:
    """A worker that tells what it was asked, as soon as it may."""

    def __init__(self):
        self.may = threading.Event()
        self.may.set()
        self.asked = []

    def ask(self, task, photo, number=None):
        self.asked.append((task, photo, number))
        self.may.wait(20.0)
        return Answer(200, b'{"done": true}')


@pytest.fixture
def echo():
    return Echo()


@pytest.fixture
def client(running, echo):
    with running(echo, LIMITS) as client:
        yield client


def wait_for_queue(client, length):
    until = time.monotonic() + 10.0
    while client.ask("GET", "/queue")[2] != b'{"waiting":%d}' % length:
        assert time.monotonic() < until
        time.sleep(0.01)


@pytest.mark.parametrize("address", PAGES)
def test_pages_are_served_and_may_do_little(client, address):
    status, headers, content = client.ask("GET", address)
    assert status == 200
    assert content
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert ("sandbox" in policy) == (address == "/frame")
    assert ("unsafe-inline" in policy) == (address == "/frame")


def test_pages_name_nothing_elsewhere_and_hold_the_limit(client):
    for address in PAGES:
        content = client.ask("GET", address)[2]
        assert b"http://" not in content
        assert b"https://" not in content
    assert b'data-max-bytes="1000"' in client.ask("GET", "/")[2]


@pytest.mark.parametrize(
    "address",
    [
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fpyproject.toml",
        "//etc/passwd",
        "/static/index.html",
        "/app.py",
        "/docs",
        "/openapi.json",
        "/heads/-1",
        "/heads/../demo.js",
    ],
)
def test_no_other_address_leads_anywhere(client, address):
    for method in ("GET", "POST"):
        status, headers, content = client.ask(method, address)
        assert status in (404, 405)
        assert b"root:" not in content
        assert "content-security-policy" in headers


def test_the_worker_is_asked_and_its_answer_passed_on(client, echo):
    assert client.post("/faces", b"photo") == (200, {"done": True})
    assert client.post("/heads/7", b"photo") == (200, {"done": True})
    assert echo.asked == [("faces", b"photo", None), ("head", b"photo", 7)]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_photo_is_refused_and_never_reaches_the_worker(client, echo, chunked):
    body = bytes(200_000)
    status, content = client.post("/faces", iter([body]) if chunked else body)
    assert status == 413
    assert content == {"error": "photo: has more than 0.001 MB"}
    assert echo.asked == []


def test_a_slow_photo_is_refused(client, echo):
    with socket.create_connection(("127.0.0.1", client.port), timeout=10) as connection:
        connection.sendall(
            b"POST /faces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\npho"
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 408")
    assert echo.asked == []
    assert client.ask("GET", "/queue")[2] == b'{"waiting":0}'


def test_the_queue_is_bounded_and_says_how_long_it_is(client, echo):
    echo.may.clear()
    answers = []
    visitors = [
        threading.Thread(target=lambda: answers.append(client.post("/faces", b"photo")[0]))
        for _ in range(LIMITS.places)
    ]
    for visitor in visitors:
        visitor.start()
    wait_for_queue(client, 3)
    status, content = client.post("/faces", b"photo")
    assert status == 503
    assert "try again" in content["error"]
    assert len(echo.asked) == 1
    echo.may.set()
    for visitor in visitors:
        visitor.join()
    assert answers == [200, 200, 200]
    assert client.post("/faces", b"photo")[0] == 200


def test_who_has_left_is_not_worked_for(client, echo):
    echo.may.clear()
    first = threading.Thread(target=client.post, args=("/faces", b"first"))
    first.start()
    wait_for_queue(client, 1)
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        connection.sendall(
            b"POST /faces HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 4\r\n\r\nleft"
        )
        wait_for_queue(client, 2)
    time.sleep(0.1)
    echo.may.set()
    first.join()
    assert client.post("/faces", b"last")[0] == 200
    assert [photo for _, photo, _ in echo.asked if photo != b"first"] == [b"last"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "127.0.0.1:80"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Host": "127.0.0.1", "Origin": "http://127.0.0.1"}, 200),
        ({"Host": "127.0.0.1", "Origin": "http://evil.example"}, 403),
        ({"Host": "127.0.0.1", "Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_other_sites_and_other_names_do_not_reach_the_worker(client, echo, headers, status):
    assert client.post("/faces", b"photo", **headers)[0] == status
    assert len(echo.asked) == (status == 200)


def test_a_worker_that_cannot_start_is_said(running):
    class Broken:
        def ask(self, *_):
            raise WorkerError("photos cannot be read: why")

    with running(Broken(), LIMITS) as client:
        assert client.post("/faces", b"x") == (500, {"error": "photos cannot be read: why"})
