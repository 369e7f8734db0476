"""ARKit weights as the UDP packets of the app Live Link Face.

The layout is that of version 6, as Unreal Engine's plugin AppleARKitFaceSupport reads it
(AppleARKitLiveLinkSource.cpp) and as others have written it down: PyLiveLinkFace
(https://github.com/JimWest/PyLiveLinkFace), LLV (https://github.com/think-biq/LLV). Everything is
big-endian: version (1 byte); device and subject (each a length of 4 bytes and as many characters);
frame number (4), part of a frame (4, float), frames per second (4) over a denominator (4); number
of values (1); values (4 each, float).
"""

import struct

import numpy as np
from jaxtyping import Float

from mlanet.video.livelink import TICKS_PER_S, VALUES

VERSION = 6

SWAPPED = (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight"))
"""Packets have Unreal's order (EARFaceBlendShape), in which left comes first; the app's CSV files
have the right one first."""


def _packet_order() -> tuple[str, ...]:
    names = list(VALUES)
    for left, right in SWAPPED:
        k = names.index(right)
        names[k : k + 2] = [left, right]
    return tuple(names)


PACKET_VALUES = _packet_order()
"""The 61 names in the order of a packet."""

_ORDER = [VALUES.index(name) for name in PACKET_VALUES]


def live_link_packet(
    values: Float[np.ndarray, "61"], time_s: float, *, subject: str, device: str
) -> bytes:
    """One frame.

    Args:
        values: in the order of `VALUES`.
        time_s: since midnight.
        subject: ASCII; what the receiver lists.
        device: ASCII; tells senders apart.

    Raises:
        UnicodeEncodeError: a name is not ASCII.
    """
    frame, part = divmod(time_s * TICKS_PER_S, 1.0)
    names = [name.encode("ascii") for name in (device, subject)]
    return b"".join(
        [
            struct.pack("!B", VERSION),
            *(struct.pack("!i", len(name)) + name for name in names),
            struct.pack("!ifii", int(frame), part, TICKS_PER_S, 1),
            struct.pack("!B61f", len(PACKET_VALUES), *values[_ORDER]),
        ]
    )
