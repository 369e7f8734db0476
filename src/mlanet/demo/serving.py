"""Serve the demo until it is told to end."""

import socket
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_address

import uvicorn

from mlanet.demo.app import demo_app
from mlanet.demo.limits import Limits
from mlanet.demo.worker import Worker
from mlanet.sessions import DeviceName

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")

MAX_CONNECTIONS = 128
"""At once; further ones are told that the server is busy."""


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def serve(
    host: str,
    port: int,
    started: Callable[[str], None],
    limits: Limits,
    device: DeviceName = "auto",
) -> None:
    """Serve the demo until Ctrl-C or SIGTERM.

    Args:
        host: address or name of this machine; every address with "0.0.0.0" or "::".
        port: 0 is any that is free.
        started: is called with the page's address once photos can be read.
        limits: of photos.
        device: what runs the network.

    Raises:
        OSError: there is no such address here, or its port is taken.
        WorkerError: photos cannot be read; the message says why.
        KeyboardInterrupt: Ctrl-C has ended it.
    """
    with closing(_bound(host, port)) as bound, closing(Worker(limits, device)) as worker:
        worker.wait()
        hosts = {*LOOPBACK, host} if is_loopback(host) else None
        config = uvicorn.Config(
            demo_app(worker, limits, hosts),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        started(_address(host, bound))
        uvicorn.Server(config).run(sockets=[bound])


def _bound(host: str, port: int) -> socket.socket:
    """A socket at an address; whoever connects waits for the server."""
    family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return socket.create_server(place[:2], family=family)


def _address(host: str, bound: socket.socket) -> str:
    """What a browser on this machine is given."""
    port = bound.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
