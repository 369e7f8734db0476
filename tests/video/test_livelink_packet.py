import struct

import numpy as np
import pytest

from mlanet.video.livelink import VALUES
from mlanet.video.livelink_packet import PACKET_VALUES, live_link_packet


def read(packet):
    """Written from the layout alone: what a receiver does."""
    place = 1

    def text():
        nonlocal place
        (length,) = struct.unpack_from(">i", packet, place)
        found = packet[place + 4 : place + 4 + length].decode()
        place += 4 + length
        return found

    names = text(), text()
    frame, part, rate, over, count = struct.unpack_from(">ifiiB", packet, place)
    values = struct.unpack_from(f">{count}f", packet, place + 17)
    assert len(packet) == place + 17 + 4 * count
    return packet[0], names, frame + part, rate / over, dict(zip(ORDER, values, strict=True))


UNREALS = """
eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft
eyeWideLeft eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight
eyeSquintRight eyeWideRight jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel
mouthPucker mouthLeft mouthRight mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight
mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower
mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft
mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight browDownLeft browDownRight browInnerUp
browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft
noseSneerRight tongueOut HeadYaw HeadPitch HeadRoll LeftEyeYaw LeftEyePitch LeftEyeRoll
RightEyeYaw RightEyePitch RightEyeRoll
"""
ORDER = UNREALS.split()
"""Unreal Engine's EARFaceBlendShape."""


def test_the_order_is_unreals():
    assert list(PACKET_VALUES) == ORDER


def test_a_receiver_reads_what_was_sent():
    values = np.linspace(0.0, 1.0, 61)
    packet = live_link_packet(values, 3723.51, subject="mlanet", device="mlanet-desk")
    version, names, frame, rate, found = read(packet)
    assert (version, names, rate) == (6, ("mlanet-desk", "mlanet"), 60.0)
    assert frame == pytest.approx(3723.51 * 60.0, abs=1e-3)
    assert found == pytest.approx(dict(zip(VALUES, values, strict=True)), abs=1e-6)


def test_names_are_ascii():
    with pytest.raises(UnicodeEncodeError):
        live_link_packet(np.zeros(61), 0.0, subject="Ä", device="")
