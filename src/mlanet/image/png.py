"""Chunks of PNG files: colour that Pillow does not read, and the repair of damaged files."""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_REPAIRED_BYTES = 512 * 1024**2
"""Of decompressed pixels; more are not repaired."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_KEPT = (b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP", b"eXIf")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""First column and row of the passes of an interlaced picture, and their steps."""

_PIECE = 256


@dataclass(frozen=True, slots=True)
class RepairedPNG:
    """A whole file, and the share of the pixels' bytes that the damaged one held."""

    content: bytes
    share: float


def cicp_of(content: bytes) -> tuple[int, int, int, int] | None:
    """Colour primaries, transfer, matrix and range of the chunk `cICP`, if there is one."""
    for kind, data, valid in _chunks(content[: content.find(b"IDAT")]):
        if kind == b"cICP" and len(data) == 4 and valid:
            primaries, transfer, matrix, full_range = data
            return primaries, transfer, matrix, full_range
    return None


def repaired_png(content: bytes) -> RepairedPNG | None:
    """The picture without harmless chunks that are damaged, its missing rows black.

    Browsers read on over wrong checksums of chunks that a picture can do without, and show the
    rows that are there. A damaged header or palette cannot be repaired.
    """
    header, kept, packed = b"", list[bytes](), list[bytes]()
    for kind, data, valid in _chunks(content):
        if kind == b"IDAT":
            packed.append(data)
        elif kind in (b"IHDR", b"PLTE") and not valid:
            return None
        elif kind == b"IHDR":
            header = data
        elif kind == b"PLTE" or (kind in _KEPT and valid and not packed):
            kept.append(_chunk(kind, data))
    if len(header) != 13:
        return None
    expected = _raw_bytes(header)
    if not 0 < expected <= MAX_REPAIRED_BYTES:
        return None
    raw = _inflated(b"".join(packed), expected)
    share = len(raw) / expected
    pixels = zlib.compress(raw + bytes(expected - len(raw)), 1)
    chunks = [_chunk(b"IHDR", header), *kept, _chunk(b"IDAT", pixels), _chunk(b"IEND", b"")]
    return RepairedPNG(_SIGNATURE + b"".join(chunks), share)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes, bool]]:
    """Type and data of each chunk, and whether its checksum is right; the last may be cut."""
    position = len(_SIGNATURE)
    while position + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        kind = content[position + 4 : position + 8]
        data = content[position + 8 : position + 8 + length]
        checksum = content[position + 8 + length : position + 12 + length]
        yield kind, data, checksum == zlib.crc32(data, zlib.crc32(kind)).to_bytes(4)
        position += 12 + length


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(data, zlib.crc32(kind))
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def _raw_bytes(header: bytes) -> int:
    """Bytes of the rows before compression, each with its filter; 0 for a senseless header."""
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _CHANNELS.get(color, 0)
    if not bits:
        return 0
    total = 0
    for x, y, dx, dy in _ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((x - width) // dx), -((y - height) // dy)
        total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    return total


def _inflated(packed: bytes, limit: int) -> bytes:
    """What can be decompressed of a zlib stream; its checksum is not looked at."""
    stream, parts, room = zlib.decompressobj(-zlib.MAX_WBITS), list[bytes](), limit
    for start in range(2, len(packed), _PIECE):
        try:
            parts.append(stream.decompress(packed[start : start + _PIECE], room))
        except zlib.error:
            break
        room -= len(parts[-1])
        if room <= 0 or stream.eof:
            break
    return b"".join(parts)
