"""Colour profiles (ICC) for pictures that state their colours in another way."""

import struct
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from PIL import Image

_SRGB_PRIMARIES = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES = {
    1: _SRGB_PRIMARIES,
    9: (0.3127, 0.3290, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),  # BT.2020
    12: (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),  # Display P3
}
"""White, red, green, blue (x, y) by their numbers in ITU-T H.273."""

_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_VIDEO_CURVE = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
_CURVES: dict[int, tuple[float, ...]] = {
    **dict.fromkeys((1, 6, 14, 15), _VIDEO_CURVE),
    4: (2.2,),
    5: (2.8,),
    8: (1.0,),
    13: _SRGB_CURVE,
}
"""Levels to light by H.273's numbers: g, or g, a, b, c, d as in ICC's parametric curves 0 and 3."""

_SRGB_GAMMA = 1 / 2.2
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_D50 = np.array([0.9642, 1.0, 0.8249])


def profile_of(
    picture: "Image.Image", cicp: tuple[int, int, int, int] | None = None
) -> bytes | None:
    """The profile of a picture's colours; None where they are sRGB as far as is known.

    In the order that PNG prescribes: `cicp` (of RGB in full range, with a curve for which sRGB has
    room: neither PQ nor HLG), the embedded profile, the statement that it is sRGB, `gAMA` with
    `cHRM`. A gamma of 1/2.2 stands for sRGB's curve, and `cHRM` says nothing without `gAMA`.
    """
    if cicp is not None and cicp[2:] == (0, 1):
        primaries, curve = _PRIMARIES.get(cicp[0]), _CURVES.get(cicp[1])
        if primaries is not None and curve is not None:
            return matrix_profile(primaries, curve)
    profile = picture.info.get("icc_profile")
    if profile:
        return bytes(profile)
    gamma = picture.info.get("gamma")
    if "srgb" in picture.info or not isinstance(gamma, float) or not 0.1 < gamma < 10.0:
        return None
    curve = _SRGB_CURVE if abs(gamma - _SRGB_GAMMA) < 1e-3 else (1.0 / gamma,)
    return matrix_profile(picture.info.get("chromaticity", _SRGB_PRIMARIES), curve)


def matrix_profile(chromaticities: tuple[float, ...], curve: tuple[float, ...]) -> bytes | None:
    """An ICC profile (version 4) of three primaries and one curve; None for impossible primaries.

    Args:
        chromaticities: x and y of white, red, green, blue.
        curve: as in `_CURVES`.
    """
    xy = np.array(chromaticities, dtype=np.float64).reshape(4, 2)
    if (xy[:, 1] <= 0.0).any():
        return None
    tristimulus = np.column_stack([xy[:, 0], xy[:, 1], 1.0 - xy.sum(axis=1)]) / xy[:, 1:]
    white, primaries = tristimulus[0], tristimulus[1:].T
    if abs(np.linalg.det(primaries)) < 1e-6:
        return None
    colorants = _adaptation(white) @ (primaries * np.linalg.solve(primaries, white))
    kind = 0 if len(curve) == 1 else 3
    parametric = b"para" + struct.pack(">IHH", 0, kind, 0) + _fixed(curve)
    tags = {b"wtpt": b"XYZ \0\0\0\0" + _fixed(_D50)}
    for channel, color in zip((b"r", b"g", b"b"), colorants.T, strict=True):
        tags[channel + b"XYZ"] = b"XYZ \0\0\0\0" + _fixed(color)
        tags[channel + b"TRC"] = parametric
    return _assembled(tags)


def _adaptation(white: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3 3"]:
    """Bradford's map of XYZ under `white` to D50, in which profiles state their colours."""
    scale = (_BRADFORD @ _D50) / (_BRADFORD @ white)
    return np.linalg.solve(_BRADFORD, scale[:, None] * _BRADFORD)


def _fixed(values: tuple[float, ...] | Float[np.ndarray, "n"]) -> bytes:
    """ICC's s15Fixed16 numbers."""
    whole = np.rint(np.clip(np.asarray(values), -32768.0, 32767.0) * 65536.0)
    return whole.astype(">i4").tobytes()


def _assembled(tags: dict[bytes, bytes]) -> bytes:
    """A display profile of RGB with these tags."""
    table, data = [struct.pack(">I", len(tags))], b""
    start = 128 + 4 + 12 * len(tags)
    for name, value in tags.items():
        table.append(name + struct.pack(">II", start + len(data), len(value)))
        data += value + bytes(-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(data), bytes(4), 0x04300000, *_CLASS)
    header += bytes(12) + b"acsp" + bytes(28) + _fixed(_D50)
    return header + bytes(128 - len(header)) + b"".join(table) + data


_CLASS = (b"mntr", b"RGB ", b"XYZ ")
