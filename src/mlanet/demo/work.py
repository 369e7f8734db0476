"""The worker process: the only one that decodes photos. It may be ended at any moment."""

import json
import os
import signal
import sys
import tempfile
import warnings
from multiprocessing.connection import Connection
from typing import Any

from mlanet.demo.limits import Limits
from mlanet.errors import ImageError, MlanetError, NoFaceError
from mlanet.sessions import DeviceName
from mlanet.workers import end_with_parent

STATUS_DIGITS = 3
WORN = b"!"
"""What follows the status in the answer of a worker that has grown and should be replaced."""

READY = b"200 ready"
"""The first answer of a worker that can work; any other says why it cannot."""

MAX_FILE_BYTES = 64_000_000
"""Of each file that the worker may write."""


def work(connection: Connection, folder: str, limits: Limits, device: DeviceName = "auto") -> None:
    """Answer requests until the other end is closed.

    A request is a line of JSON, `{"task": ..., ...}`, and the bytes of a photo. An answer is a
    status of HTTP in three digits, `WORN` or a blank, and JSON: no pickle travels, so that
    whatever a photo does in here, the server is not made to run anything.

    Args:
        connection: to the server.
        folder: for temporary files.
        limits: of pixels and memory.
        device: what runs the network.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server says when it ends
    end_with_parent()
    tempfile.tempdir = folder
    warnings.simplefilter("ignore")
    try:
        tasks = _loaded(limits, device)
    except MlanetError as error:
        connection.send_bytes(_answer(500, b" ", {"error": str(error)}))
        return
    _limit(limits)
    start_bytes = _most_bytes()
    connection.send_bytes(READY)
    while True:
        try:
            request = connection.recv_bytes()
        except (EOFError, OSError):
            return
        status, content = _answered(tasks, request)
        worn = _most_bytes() - start_bytes > limits.worn_bytes
        connection.send_bytes(_answer(status, WORN if worn else b" ", content))


def request_of(task: str, photo: bytes, number: int | None = None) -> bytes:
    """A request to a worker: `faces`, or `head` of the face with a number."""
    words = {"task": task} if number is None else {"task": task, "number": number}
    return json.dumps(words).encode("ascii") + b"\n" + photo


def _loaded(limits: Limits, device: DeviceName) -> Any:
    """The tasks, and all that they load or compile when first used.

    Raises:
        AssetError: a shipped file is missing or altered.
        UsageError: there is no such device here.
    """
    from mlanet.assets import verified_path
    from mlanet.demo.tasks import PhotoTasks
    from mlanet.reconstructor import Reconstructor

    reconstructor = Reconstructor.load(threads=min(os.cpu_count() or 1, 4), device=device)
    tasks = PhotoTasks(reconstructor, limits.photo_pixels)
    example = verified_path("example-image").read_bytes()
    tasks.faces(example)
    return tasks


def _answered(tasks: Any, request: bytes) -> tuple[int, dict[str, Any]]:
    header, _, photo = request.partition(b"\n")
    words = json.loads(header)
    task = words.pop("task")
    try:
        return 200, getattr(tasks, task)(photo, **words)
    except (ImageError, NoFaceError) as error:
        return 422, {"error": str(error)}
    except MemoryError:
        return 422, {"error": "photo: takes more memory than there is"}
    except Exception as error:  # whatever one photo does, the next one is still done
        return 500, {"error": f"photo: cannot be reconstructed ({type(error).__name__})"}


def _answer(status: int, worn: bytes, content: dict[str, Any]) -> bytes:
    return str(status).encode("ascii") + worn + json.dumps(content).encode("ascii")


def _most_bytes() -> int:
    """The most memory that this process has had; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _limit(limits: Limits) -> None:
    """Let the system refuse what goes too far, as far as it can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, value in (
        (resource.RLIMIT_DATA, limits.worker_bytes),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, most = resource.getrlimit(kind)
        resource.setrlimit(kind, (value if most < 0 else min(value, most), most))
