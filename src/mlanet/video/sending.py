"""Where a live face goes: programs that listen at a UDP port."""

import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from mlanet.errors import UsageError
from mlanet.morphable import MorphableModel
from mlanet.video.capture import LiveFace
from mlanet.video.livelink import live_link_values
from mlanet.video.livelink_packet import live_link_packet
from mlanet.video.vmc import vmc_packets

SUBJECT = "mlanet"
"""What programs that read Live Link Face list."""

MAX_PORT = 65535


class UdpPort:
    """An address that packets go to; whether anybody listens there is not known.

    Args:
        option: what messages call it, such as `--osc`.
        address: `HOST:PORT`; an IPv6 address stands in brackets.

    Raises:
        UsageError: it is no such address, or the host is not known.
    """

    def __init__(self, option: str, address: str) -> None:
        host, colon, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) <= MAX_PORT:
            raise UsageError(f"{option} must be HOST:PORT, such as 127.0.0.1:39539, got {address}")
        try:
            found = socket.getaddrinfo(host, int(port), type=socket.SOCK_DGRAM)
        except (OSError, UnicodeError) as error:
            raise UsageError(f"{option} {address}: there is no host {host}") from error
        family, _, _, _, self._place = found[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._address = address

    def send(self, packets: Sequence[bytes]) -> None:
        """Send packets in order.

        Raises:
            OSError: the system cannot send there.
        """
        for packet in packets:
            try:
                self._socket.sendto(packet, self._place)
            except OSError as error:
                error.filename = self._address
                raise

    def close(self) -> None:
        """Close it."""
        self._socket.close()


class Receiver(Protocol):
    """Takes a live face."""

    def send(self, face: LiveFace | None, time_s: float, *, calibrated: bool) -> None:
        """One frame, `time_s` after the first one; None where nobody is seen."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


class VmcReceiver:
    """A program that takes the VMC protocol: VSeeFace, Warudo, VMagicMirror, Blender's add-ons."""

    def __init__(self, model: MorphableModel, port: UdpPort) -> None:
        self._model, self._port = model, port

    def send(self, face: LiveFace | None, time_s: float, *, calibrated: bool) -> None:
        """See `vmc_packets`.

        Raises:
            OSError: the system cannot send there.
        """
        self._port.send(vmc_packets(self._model, face, time_s, calibrated=calibrated))

    def close(self) -> None:
        """Close the socket."""
        self._port.close()


class LiveLinkReceiver:
    """A program that takes Live Link Face: Unreal Engine, or an add-on of Blender's."""

    def __init__(self, model: MorphableModel, port: UdpPort) -> None:
        self._model, self._port = model, port
        self._device = f"mlanet-{socket.gethostname()}".encode("ascii", "replace").decode()

    def send(self, face: LiveFace | None, time_s: float, *, calibrated: bool) -> None:
        """A packet with the time of day; nothing where nobody is seen, as of the app.

        Raises:
            OSError: the system cannot send there.
        """
        if face is None:
            return
        now = datetime.now()
        day_s = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
        values = live_link_values(self._model, face.expression[None], face.rotation[None])[0]
        self._port.send([live_link_packet(values, day_s, subject=SUBJECT, device=self._device)])

    def close(self) -> None:
        """Close the socket."""
        self._port.close()
