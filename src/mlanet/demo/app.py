"""The HTTP side: takes photos in, passes answers on, and keeps nothing of either."""

import asyncio
import re
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mlanet.demo.limits import Limits
from mlanet.demo.worker import Worker, WorkerError

PAGES = {
    "/": ("index.html", "text/html"),
    "/colours.css": ("colours.css", "text/css"),
    "/demo.css": ("demo.css", "text/css"),
    "/demo.js": ("demo.js", "text/javascript"),
    "/camera.js": ("camera.js", "text/javascript"),
    "/frame": ("frame.html", "text/html"),
}
"""All that is served: address, file of the package, type. No path is made of what is asked for."""

PLACE_OF_LIMIT = "MAX_PHOTO_BYTES"
"""What stands in the page for `Limits.photo_bytes`."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; frame-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

FRAME_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src blob: data:; connect-src blob: data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'"
)
"""Of the frame that shows a head: the viewer's page runs in there, and reaches nothing."""


class RefusalError(Exception):
    """A request that is not served: status, and what the visitor reads."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(slots=True)
class Queue:
    """Photos that are being uploaded, wait or are worked on; they take turns as they came.

    Attributes:
        limits: how many there may be.
        waiting: how many there are.
    """

    limits: Limits
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @contextmanager
    def place(self) -> Generator[None, None, None]:
        """A place, while the block runs.

        Raises:
            RefusalError: there is none.
        """
        if self.waiting >= self.limits.places:
            raise RefusalError(503, "Many photos are waiting. Please try again in a moment.")
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1


@dataclass(frozen=True, slots=True)
class Guarded:
    """An application whose answers all carry `HEADERS`."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, guarded)


def demo_app(worker: Worker, limits: Limits, hosts: Collection[str] | None) -> FastAPI:
    """The application.

    Args:
        worker: reads the photos.
        limits: of photos.
        hosts: names under which it may be called, so that no page from elsewhere reaches it by a
            name of its own; None is any.
    """
    queue = Queue(limits)

    def checked(request: Request) -> None:
        _check_origin(request, hosts)

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(checked)])
    app.add_middleware(Guarded)

    @app.exception_handler(RefusalError)
    async def refused(_: Request, refusal: RefusalError) -> Response:
        return JSONResponse({"error": str(refusal)}, refusal.status)

    @app.exception_handler(WorkerError)
    async def failed(_: Request, error: WorkerError) -> Response:
        return JSONResponse({"error": str(error)}, 500)

    for address, (name, kind) in PAGES.items():
        app.add_api_route(address, _page(name, kind, limits), methods=["GET"])

    @app.get("/queue")
    async def waiting() -> dict[str, int]:
        return {"waiting": queue.waiting}

    @app.post("/faces")
    async def faces(request: Request) -> Response:
        return await answered(request, "faces")

    @app.post("/heads/{number:int}")
    async def head(request: Request, number: int) -> Response:
        return await answered(request, "head", number)

    async def answered(request: Request, task: str, number: int | None = None) -> Response:
        with queue.place():
            photo = await _content(request, limits)
            async with queue.turn:
                if await request.is_disconnected():
                    raise RefusalError(499, "The visitor has left.")
                answer = await asyncio.to_thread(worker.ask, task, photo, number)
        return Response(answer.content, answer.status, media_type="application/json")

    return app


def _page(name: str, kind: str, limits: Limits) -> Callable[[], Response]:
    text = (files("mlanet.demo") / "static" / name).read_text(encoding="utf-8")
    text = text.replace(PLACE_OF_LIMIT, str(limits.photo_bytes))
    headers = {"Content-Security-Policy": FRAME_POLICY} if name == "frame.html" else None
    return lambda: Response(text, media_type=kind, headers=headers)


async def _content(request: Request, limits: Limits) -> bytes:
    """The body of a request: the photo's bytes.

    Raises:
        RefusalError: it is too large, or too slow.
    """
    content = bytearray()
    try:
        async with asyncio.timeout(limits.upload_s):
            async for part in request.stream():
                content += part
                if len(content) > limits.photo_bytes:
                    size = f"{limits.photo_bytes / 1e6:g} MB"
                    raise RefusalError(413, f"photo: has more than {size}")
    except TimeoutError:
        raise RefusalError(408, "photo: takes too long to arrive") from None
    return bytes(content)


def _check_origin(request: Request, hosts: Collection[str] | None) -> None:
    """See that neither another name nor another site's page leads here.

    Raises:
        RefusalError: one does.
    """
    host = request.headers.get("host", "")
    if hosts is not None and re.sub(r":\d+$", "", host) not in hosts:
        raise RefusalError(421, "This address is not served here.")
    if request.method == "GET":
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin", f"//{host}")
    foreign = site not in ("same-origin", "none") if site else origin.partition("//")[2] != host
    if foreign:
        raise RefusalError(403, "Photos are taken from the page of this server alone.")
