"""`mlanet demo`: a page on which photos become heads."""

import webbrowser

from mlanet.cli.common import EXIT_FAILED, EXIT_OK, Flag, complain, require_extra, say
from mlanet.errors import UsageError
from mlanet.sessions import DeviceName, chosen_device

MAX_PORT = 65535


def demo(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    no_open: Flag = False,
    device: DeviceName = "auto",
) -> int:
    """Open a page in the browser on which photos become heads; Ctrl-C ends it.

    Photos are dropped, pasted, chosen or taken there. They go to this process alone, and nothing
    of them is kept. It needs the web extra.

    Args:
        host: Address to listen at. Without it, only this computer reaches the page; 0.0.0.0 opens
            it to everyone on the network.
        port: Port to listen at; 0 takes one that is free.
        no_open: Do not start the browser; the page's address is printed all the same.
        device: What runs the network: auto is a GPU of NVIDIA's where onnxruntime has it, else the
            CPU (docs/how-to/devices.md).

    Returns:
        Exit status: 0 ended by Ctrl-C, 1 the address is taken or photos cannot be read, 2 wrong
        usage.
    """
    if not 0 <= port <= MAX_PORT:
        raise UsageError(f"--port must lie between 0 and {MAX_PORT}, got {port}")
    require_extra("the demo", "fastapi", "uvicorn", extra="web")
    chosen_device(device)
    from mlanet.demo import Limits
    from mlanet.demo.serving import is_loopback, serve

    def started(address: str) -> None:
        if not is_loopback(host):
            complain(f"whoever reaches {host} can use the demo: no password, no encryption")
        say(address)
        if not no_open and not webbrowser.open(address):
            complain("there is no browser to be started: open the address above")

    try:
        serve(host, port, started, Limits(), device)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        complain(f"--host {host} --port {port}: {reason}", error)
        return EXIT_FAILED
    except KeyboardInterrupt:
        pass
    return EXIT_OK
