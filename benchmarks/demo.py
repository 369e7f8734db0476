"""Attack `mlanet demo`: hostile uploads of many users at once, its memory, what it leaves.

python -m pip install '.[web]'
python benchmarks/demo.py --cases FOLDER --json demo.json

The server runs as a user starts it. Its uploads are damaged pictures, bombs, pages named .png,
files of --cases and a file of 100 MB; every eighth one is a good photo, which must become a head.
Each upload must end in a head or in one line. Memory is that of the server and its worker together
(Linux); home, working folder and the folder for temporary files must be empty in the end.
"""

import argparse
import http.client
import io
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import cycle, islice
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from hostile.mutants import mutate
from hostile.sources import example_face, make_pictures

MAX_MB = 2000
FOLDERS = ("home", "work", "temporary")
GOOD_EVERY = 8
PATIENCE_S = 600.0
SAMPLED_S = 0.1

PLAIN = (
    *(b"", b"\0", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", bytes(10**6)),
    *(b"/etc/passwd", b"file:///etc/passwd", b"../../../etc/passwd", b"\\\\host\\share"),
    *(b"<!doctype html><script>alert(1)</script>", b"<svg onload='alert(1)'/>", b"%PDF-1.7"),
    *(b"PK\3\4" + bytes(99), b"\x1f\x8b" + bytes(99), b"\x80\4K\1.", b"#!/bin/sh\nexit\n"),
)
NAMES = ("../../x.png", "/etc/passwd", "a\0b.png", "x" * 5000, "<b>.png", "\u202egnp.exe")
ADDRESSES = ("/faces", "/heads/0", "/heads/3")
BOMBS = ((40_000, 40_000), (31_000, 3_000), (7_000, 7_000), (2**31 - 1, 1), (0, 0), (7, 99))
LEAKS = re.compile(r"/src/|/tmp|/home|/temporary|Traceback|root:|\n")
"""What no refusal may say."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--cases", type=Path, help="a folder of more files to upload")
    parser.add_argument("--uploads", type=int, default=200, help="hostile ones")
    parser.add_argument("--users", type=int, default=16, help="at once")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="demo-") as folder:
        figures = attacked(Path(folder), arguments)
    print(json.dumps(figures, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 1 if figures["broken"] or figures["left"] or figures["peak_mb"] > MAX_MB else 0


def attacked(root: Path, arguments: argparse.Namespace) -> dict[str, float]:
    """All figures by name."""
    good = encoded_face()
    hostile = list(islice(hostile_uploads(root / "pictures", arguments.cases), arguments.uploads))
    uploads: list[tuple[str, bytes, bool]] = []
    for (number, content), address in zip(enumerate(hostile), cycle(ADDRESSES), strict=False):
        uploads.append((address, content, False))
        if number % GOOD_EVERY == 0:
            uploads.append(("/faces", good, True))
    start = time.perf_counter()
    with running(root) as (port, memory), ThreadPoolExecutor(arguments.users) as users:
        answers = list(users.map(lambda upload: answer_to(port, *upload), uploads))
    counts = Counter(answers)
    left = [path for name in FOLDERS for path in (root / name).rglob("*")]
    for path in left:
        print(f"left: {path}", file=sys.stderr)
    return {
        "uploads": len(hostile),
        "photos": sum(is_good for *_, is_good in uploads),
        "users": arguments.users,
        **{kind: counts[kind] for kind in ("head", "refused", "broken")},
        "peak_mb": round(max(memory, default=0.0)),
        "left": len(left),
        "seconds": round(time.perf_counter() - start),
    }


@contextmanager
def running(root: Path) -> Generator[tuple[int, list[float]], None, None]:
    """The demo as a command, in folders of its own: its port, and samples of its memory in MB."""
    for name in FOLDERS:
        (root / name).mkdir()
    places = {"HOME": root / "home", "TMPDIR": root / "temporary"}
    environment = os.environ | {name: str(path) for name, path in places.items()}
    for name in [name for name in environment if name.startswith("XDG_")]:
        del environment[name]
    server = subprocess.Popen(
        [sys.executable, "-m", "mlanet", "demo", "--no-open", "--port", "0"],
        stdout=subprocess.PIPE,
        cwd=root / "work",
        env=environment,
        text=True,
    )
    ended, memory = threading.Event(), [0.0]

    def watch() -> None:
        while not ended.wait(SAMPLED_S):
            memory.append(sum(map(used_mb, family(server.pid))))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        assert server.stdout is not None
        port = urlsplit(server.stdout.readline().strip()).port
        if port is None:
            raise SystemExit("the demo does not start")
        yield port, memory
    finally:
        ended.set()
        watching.join()
        server.send_signal(signal.SIGINT)
        if server.wait(60) != 0:
            print(f"the demo ended with {server.returncode}", file=sys.stderr)


def answer_to(port: int, address: str, content: bytes, good: bool) -> str:
    """What became of an upload: head, refused or broken."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        with suppress(BrokenPipeError, ConnectionResetError):  # the server may have heard enough
            connection.request("POST", address, content)
        response = connection.getresponse()
        status, answer = response.status, json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        print(f"broken: {address}, {len(content)} bytes: {error!r}", file=sys.stderr)
        return "broken"
    finally:
        connection.close()
    if status == http.HTTPStatus.OK and (answer.get("head") or {"glb", "boxes"} & set(answer)):
        return "head"
    line = answer.get("error", "")
    clear = status in (413, 422, 503) and line and not LEAKS.search(line)
    if clear and not (good and status != http.HTTPStatus.SERVICE_UNAVAILABLE):
        return "refused"
    print(f"broken: {address}, {len(content)} bytes: {status} {answer}", file=sys.stderr)
    return "broken"


def hostile_uploads(root: Path, cases: Path | None) -> Iterator[bytes]:
    """Files that no visitor with a photo would send, without end."""
    good = encoded_face()
    yield from PLAIN
    yield from (bomb(*size) for size in BOMBS)
    yield good + bytes(100_000_000)
    yield from (form(name, good) for name in NAMES)
    if cases is not None:
        yield from (path.read_bytes() for path in sorted(cases.rglob("*")) if path.is_file())
    random = np.random.default_rng(0)
    for source in cycle(make_pictures(root)):
        yield mutate((source.folder / source.victim).read_bytes(), random, source.structure)


def encoded_face() -> bytes:
    """A good photo."""
    file = io.BytesIO()
    example_face().save(file, "jpeg")
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG that is tiny, and huge once decoded."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    zeros = zlib.compress(bytes(min(width * height * 3 + height, 150_000_000)), 9)
    parts = ((b"IHDR", header), (b"IDAT", zeros), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def form(name: str, content: bytes) -> bytes:
    """What a form of a page sends, whose file has a name."""
    head = f'--x\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


def family(pid: int) -> list[int]:
    """A process and those that it started."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return [pid]
    return [pid, *(member for child in below.split() for member in family(int(child)))]


def used_mb(pid: int) -> float:
    """Memory of a process, of what it shares its share; 0 where the system does not tell."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    found = re.search(r"^Pss: +(\d+) kB", text, re.MULTILINE)
    return float(found[1]) / 1e3 if found else 0.0


if __name__ == "__main__":
    sys.exit(main())
