"""MATLAB's .mat files of unknown origin: how much they hold, before they are read."""

import struct
import zlib
from typing import IO

HEADER_BYTES = 128
COMPRESSED = 15
"""Type of an element that is a zlib stream (MAT-file format, level 5)."""

_BLOCK = 1 << 20


def decompressed_size(file: IO[bytes], size: int, limit: int) -> int:
    """Bytes of all elements of a .mat file of version 5 once they are decompressed.

    Args:
        file: the file; it is read from its start.
        size: its bytes.
        limit: counting stops where more are found. Never more than a block is decompressed at once.

    Raises:
        ValueError: it is truncated.
        zlib.error: an element is damaged.
    """
    if size < HEADER_BYTES:
        raise ValueError("shorter than its header")
    total, position = 0, HEADER_BYTES
    file.seek(0)
    order = "<" if file.read(HEADER_BYTES)[126:128] == b"IM" else ">"
    while position + 8 <= size:
        file.seek(position)
        kind, length = struct.unpack(f"{order}II", file.read(8))
        position += 8 + length
        if kind != COMPRESSED:
            total += length
            continue
        stream, left = zlib.decompressobj(), length
        while left > 0 and total <= limit:
            block = file.read(min(left, _BLOCK))
            if not block:
                raise ValueError("truncated")
            left -= len(block)
            while block and total <= limit:
                total += len(stream.decompress(block, _BLOCK))
                block = stream.unconsumed_tail
    if position > size:
        raise ValueError("truncated")
    return total
