"""The live picture on a page of this computer's browser, and in a window."""

import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

import numpy as np
from jaxtyping import UInt8

TITLE = "mlanet live"
QUALITY = 85
"""Of JPEG."""

IDLE_S = 1.0

PAGE = b"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>mlanet live</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<style>
html{color-scheme:light dark;background:light-dark(#f4f3f1,#131416)}
body{margin:0;min-height:100dvh;display:grid;grid-template-rows:1fr auto;
 font:16px ui-sans-serif,system-ui,sans-serif;color:light-dark(#1d1c1b,#ecebe9)}
main{position:relative;min-height:0}
img{position:absolute;inset:0;width:100%;height:100%;object-fit:contain}
main p{position:absolute;inset:auto 0 50%;margin:0;text-align:center;padding:0 1em}
footer{display:flex;flex-wrap:wrap;gap:.5em 1em;align-items:center;justify-content:center;
 padding:.75em}
footer p{margin:0}
button{font:inherit;padding:.6em 1.2em;border:0;border-radius:10px;cursor:pointer;
 background:light-dark(#b4502a,#f0935f);color:light-dark(#fff,#1a120d)}
button:disabled{opacity:.5;cursor:default}
</style>
<main><p id="words" role="status">Waiting for the first picture ...</p>
<img id="picture" alt=""></main>
<footer><button id="neutral" title="Key n">This is my neutral face</button>
<p>Look straight ahead for a second. Weights count from it.</p></footer>
<script>
const [words, picture, neutral] = ["words", "picture", "neutral"].map(
  (id) => document.getElementById(id));
const end = () => {
  clearInterval(asking);
  picture.remove();
  neutral.disabled = true;
  words.textContent = "mlanet live has ended. Start it again and reload this page.";
};
const ask = () => fetch("/neutral", { method: "POST" }).catch(end);
neutral.onclick = ask;
onkeydown = (event) => event.key === "n" && !event.repeat && ask();
picture.onload = () => (words.textContent = "");
picture.onerror = end;
picture.src = "/stream";
const asking = setInterval(() => fetch("/alive").catch(end), 2000);
</script></html>
"""


class Screen(Protocol):
    """Shows pictures, and hears a key."""

    @property
    def watched(self) -> bool:
        """Whether anybody looks."""
        ...

    def show(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """The next picture, RGB."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


class LiveWindow:
    """A window of OpenCV's. `n` asks for the neutral face, `q` and Esc end.

    Args:
        neutral: called when the neutral face is asked for.
        end: called when the window is to be closed.
    """

    def __init__(self, neutral: Callable[[], None], end: Callable[[], None]) -> None:
        self._neutral, self._end = neutral, end

    watched = True

    @staticmethod
    def possible() -> bool:
        """Whether this OpenCV and this computer have windows."""
        import cv2

        has_gui = re.search(r"GUI:\s+(?!NONE)\S", cv2.getBuildInformation()) is not None
        desk = sys.platform != "linux" or os.environ.get(
            "DISPLAY", os.environ.get("WAYLAND_DISPLAY")
        )
        return has_gui and bool(desk)

    def show(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """The next picture, RGB."""
        import cv2

        cv2.imshow(TITLE, image[..., ::-1])
        key = cv2.waitKey(1) & 0xFF
        if key == ord("n"):
            self._neutral()
        if key in (ord("q"), 27) or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
            self._end()

    def close(self) -> None:
        """Close it."""
        import cv2

        with suppress(cv2.error):
            cv2.destroyWindow(TITLE)


class LivePage:
    """A page at an address of this computer alone: the picture as a stream of JPEGs, and a button.

    Args:
        port: 0 takes one that is free.
        neutral: called when the neutral face is asked for.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, port: int, neutral: Callable[[], None]) -> None:
        self.neutral = neutral
        self.closed = False
        self._changed = threading.Condition()
        self._jpeg, self._count, self._watchers = b"", 0, 0
        page = self

        class Handler(_Handler):
            live = page

        self._server = _Server(("127.0.0.1", port), Handler)
        self.hosts = [f"{name}:{self._server.server_port}" for name in ("127.0.0.1", "localhost")]
        self.address = f"http://{self.hosts[0]}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def watched(self) -> bool:
        """Whether anybody looks."""
        return self._watchers > 0

    def show(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """The next picture, RGB."""
        import cv2

        done, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
        with self._changed:
            self._jpeg, self._count = data.tobytes() if done else self._jpeg, self._count + 1
            self._changed.notify_all()

    def next_jpeg(self, after: int) -> tuple[int, bytes]:
        """A picture later than number `after`, and its number; the same one if none comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._count > after or self.closed, IDLE_S)
            return self._count, self._jpeg

    def watch(self, change: int) -> None:
        """Somebody comes (1) or goes (-1)."""
        with self._changed:
            self._watchers += change

    def close(self) -> None:
        """Close the page."""
        self.closed = True
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever asked has left; all else is told."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    live: LivePage

    def do_GET(self) -> None:
        if not self._is_ours():
            self.send_error(HTTPStatus.FORBIDDEN)
        elif self.path == "/":
            self._answer(PAGE, "text/html; charset=utf-8")
        elif self.path == "/alive":
            self._answer(b"", "text/plain")
        elif self.path == "/stream":
            self._stream()
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        if not self._is_ours() or self.path != "/neutral":
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        self.live.neutral()
        self._answer(b"", "text/plain")

    def _is_ours(self) -> bool:
        """Neither another site's page nor another name for this computer: a camera is private."""
        origin = self.headers.get("Origin")
        site = self.headers.get("Sec-Fetch-Site", "none")
        known = self.headers.get("Host") in self.live.hosts
        own = origin is None or origin.removeprefix("http://") in self.live.hosts
        return known and own and site in ("none", "same-origin")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        count, live = 0, self.live
        live.watch(1)
        try:
            while not live.closed:
                count, jpeg = live.next_jpeg(count)
                if jpeg:
                    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                    self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
        except OSError:  # whoever looked has left
            pass
        finally:
            live.watch(-1)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged."""
