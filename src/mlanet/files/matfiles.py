"""MATLAB's .mat files of versions 4 and 5, of unknown origin: their matrices of numbers.

A reader of our own: SciPy's trusts types, sizes and nesting of what it reads, and a changed byte
ends the process. Only named matrices of real numbers are read, which hold no others; cells,
structures and objects are passed over unread, however deep they are. The format: "MAT-File
Format", MathWorks.
"""

import struct
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol

import numpy as np
from jaxtyping import Shaped

HEADER_BYTES = 128
MATRIX, COMPRESSED = 14, 15
"""Types of elements: a variable, and a zlib stream that holds one."""

TYPES = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8",
}  # fmt: skip
"""How the numbers of an element are stored, by its type."""

CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8",
}  # fmt: skip
"""What a variable of numbers is in MATLAB, by its class; it may be stored narrower."""

TYPES_4 = ("f8", "f4", "i4", "i2", "u2", "u1")
"""The same of version 4, by the tens of its type."""

LOGICAL, COMPLEX = 0x02, 0x08
CONVERTED = 8
"""Bytes that a number counts at least, as it will be converted."""

_INT32, _UINT32, _NAME_TYPES = 5, 6, (1, 16)
_MAX_AXES, _MAX_NAME, _MAX_PADDING = 32, 512, 64
_BLOCK = 1 << 16


class Unreadable:
    """Stands for a variable of that name that is no matrix of real numbers."""


def read_matrices(
    file: IO[bytes], size: int, names: Collection[str], max_bytes: int
) -> dict[str, Shaped[np.ndarray, "..."] | Unreadable]:
    """The named variables of a .mat file, as far as they are there.

    Args:
        file: an open file; it is read from its start.
        size: its bytes.
        names: of variables.
        max_bytes: what these may take together, each number counted as double precision.

    Raises:
        ValueError: the file is truncated, malformed, of another version, or takes more.
        zlib.error: a variable is damaged.
    """
    found: dict[str, np.ndarray | Unreadable] = {}
    total = 0
    for variable in _variables(file, size):
        if variable.name not in names:
            continue
        if not variable.numeric:
            found[variable.name] = Unreadable()
            continue
        total += variable.count * CONVERTED
        if total > max_bytes:
            raise ValueError(f"it decompresses to more than {max_bytes // 2**20} MiB")
        found[variable.name] = variable.numbers()
    return found


def variable_names(file: IO[bytes], size: int) -> list[str]:
    """Names of all variables of a .mat file, of which no number is read; errors as above."""
    return [variable.name for variable in _variables(file, size) if variable.name]


class _Source(Protocol):
    """Bytes in their order."""

    def read(self, count: int, /) -> bytes | bytearray:
        """Exactly so many.

        Raises:
            ValueError: there are fewer.
        """
        ...

    def finish(self) -> None:
        """See that the element ends well."""
        ...


@dataclass
class _Stored:
    """Bytes of a file up to a place in it."""

    file: IO[bytes]
    left: int

    def read(self, count: int, /) -> bytes:
        if count > self.left:
            raise ValueError("truncated")
        self.left -= count
        found = self.file.read(count)
        if len(found) != count:
            raise ValueError("truncated")
        return found

    def finish(self) -> None:
        pass


class _Inflated:
    """Bytes of a zlib stream of a file, decompressed block by block as they are asked for."""

    def __init__(self, stored: _Stored) -> None:
        self._stored = stored
        self._stream = zlib.decompressobj()
        self._ready = b""

    def read(self, count: int, /) -> bytes | bytearray:
        found = bytearray()
        while len(found) < count:
            if not self._ready and not self._more():
                raise ValueError("truncated")
            wanted = count - len(found)
            found += self._ready[:wanted]
            self._ready = self._ready[wanted:]
        return found

    def finish(self) -> None:
        """Read on to the stream's checksum, which a little padding may precede.

        Raises:
            ValueError: there is more, or it ends without.
        """
        left = len(self._ready)
        while left <= _MAX_PADDING and self._more():
            left += len(self._ready)
        if left > _MAX_PADDING or not self._stream.eof:
            raise ValueError("a variable does not end where its numbers do")

    def _more(self) -> bool:
        while not self._stream.eof:
            waiting = self._stream.unconsumed_tail
            if not waiting:
                waiting = self._stored.read(min(_BLOCK, self._stored.left))
                if not waiting:
                    return False
            self._ready = self._stream.decompress(waiting, _BLOCK)
            if self._ready:
                return True
        return False


@dataclass
class _Variable:
    """A variable whose numbers come next in `source`."""

    name: str
    numeric: bool
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    source: _Source
    order: str
    stored_as: np.dtype[Any] | None = None
    """Of version 4, which has no tag in front of the numbers."""

    @property
    def count(self) -> int:
        return int(np.prod(self.shape, dtype=object))

    def numbers(self) -> Shaped[np.ndarray, "..."]:
        """The matrix; to be called once, and within the claims that were checked.

        Raises:
            ValueError: it is truncated or malformed.
        """
        stored = self.stored_as
        if stored is None:
            kind, length, small = _tag(self.source, self.order)
            if kind not in TYPES:
                raise ValueError(f"{self.name}: an element of unknown type {kind}")
            stored = np.dtype(self.order + TYPES[kind])
            if length != self.count * stored.itemsize:
                raise ValueError(f"{self.name}: {length} bytes do not fit {self.shape}")
            data = self.source.read(length) if small is None else small[:length]
        else:
            data = self.source.read(self.count * stored.itemsize)
        self.source.finish()
        with np.errstate(all="ignore"):  # a class narrower than its storage is the file's affair
            values = np.frombuffer(data, stored).astype(self.dtype)
        return values.reshape(self.shape, order="F")


def _variables(file: IO[bytes], size: int) -> Iterator[_Variable]:
    file.seek(0)
    start = file.read(4)
    if len(start) == 4 and 0 in start:
        return _variables_4(file, size)
    return _variables_5(file, size)


def _variables_5(file: IO[bytes], size: int) -> Iterator[_Variable]:
    file.seek(0)
    header = file.read(HEADER_BYTES)
    mark = header[126:128]
    if len(header) != HEADER_BYTES or mark not in (b"IM", b"MI"):
        raise ValueError("no header of a .mat file of version 5")
    order = "<" if mark == b"IM" else ">"
    if struct.unpack(f"{order}H", header[124:126])[0] != 0x0100:
        raise ValueError("a .mat file of another version; save it with -v7 in MATLAB")
    position = HEADER_BYTES
    while position < size:
        file.seek(position)
        tag = file.read(8)
        if len(tag) < 8:
            raise ValueError("truncated")
        kind, length = struct.unpack(f"{order}II", tag)
        position += 8 + length
        if position > size:
            raise ValueError("truncated")
        if kind not in (MATRIX, COMPRESSED):
            raise ValueError(f"an element of unknown type {kind}")
        source: _Source = _Stored(file, length)
        if kind == COMPRESSED:
            source = _Inflated(_Stored(file, length))
            inner, _, _ = _tag(source, order)
            if inner != MATRIX:
                raise ValueError(f"an element of unknown type {inner}")
        if length:
            yield _described(source, order)


def _described(source: _Source, order: str) -> _Variable:
    """What a variable is, by the elements in front of its numbers: flags, dimensions, name."""
    data = _element(source, order, (_UINT32,), 8)
    if len(data) != 8:
        raise ValueError("the flags of a variable are malformed")
    flags = struct.unpack(f"{order}I", data[:4])[0]
    kind, bits = flags & 0xFF, flags >> 8 & 0xFF
    if kind not in CLASSES and kind not in range(1, 6):  # functions and opaque objects
        return _Variable("", False, (), np.dtype("u1"), source, order)
    data = _element(source, order, (_INT32, _UINT32), 4 * _MAX_AXES)
    if len(data) < 8 or len(data) % 4:
        raise ValueError("the dimensions of a variable are malformed")
    shape = tuple(int(side) for side in np.frombuffer(data, f"{order}i4"))
    name = _element(source, order, _NAME_TYPES, _MAX_NAME).rstrip(b"\0").decode("latin1")
    if min(shape) < 0:
        raise ValueError(f"{name}: a matrix of the shape {shape}")
    numeric = kind in CLASSES and not bits & COMPLEX
    dtype = np.dtype(bool) if bits & LOGICAL else np.dtype(CLASSES.get(kind, "u1"))
    return _Variable(name, numeric, shape, dtype, source, order)


def _element(source: _Source, order: str, kinds: Collection[int], most: int) -> bytes | bytearray:
    """The data of an element of one of some types, of at most so many bytes."""
    kind, length, small = _tag(source, order)
    if kind not in kinds or length > most:
        raise ValueError(f"an element of type {kind} and {length} bytes where none belongs")
    if small is not None:
        return small[:length]
    data = source.read(length)
    source.read(-length % 8)
    return data


def _tag(source: _Source, order: str) -> tuple[int, int, bytes | bytearray | None]:
    """Type and bytes of an element; at most four bytes of data may lie in the tag itself."""
    tag = source.read(8)
    kind, length = struct.unpack(f"{order}II", tag)
    if not kind >> 16:
        return kind, length, None
    if kind >> 16 > 4:
        raise ValueError("a small element of more than four bytes")
    return kind & 0xFFFF, kind >> 16, tag[4:]


def _variables_4(file: IO[bytes], size: int) -> Iterator[_Variable]:
    position = 0
    while position < size:
        file.seek(position)
        header = file.read(20)
        if len(header) < 20:
            raise ValueError("truncated")
        order = "<"
        if not 0 <= struct.unpack("<i", header[:4])[0] < 5000:
            order = ">"
        kind, rows, columns, imaginary, length = struct.unpack(f"{order}5i", header)
        machine, zero, tens, matrix = kind // 1000, kind // 100 % 10, kind // 10 % 10, kind % 10
        if machine != (order == ">") or zero or tens >= len(TYPES_4) or matrix > 2:
            raise ValueError("a malformed variable of version 4")
        if min(rows, columns) < 0 or not 0 < length <= _MAX_NAME or imaginary not in (0, 1):
            raise ValueError("a malformed variable of version 4")
        stored = np.dtype(order + TYPES_4[tens])
        data = rows * columns * stored.itemsize * (1 + imaginary)
        position += 20 + length + data
        if position > size:
            raise ValueError("truncated")
        name = file.read(length).rstrip(b"\0").decode("latin1")
        numeric = matrix == 0 and not imaginary
        source = _Stored(file, data)
        plain = stored.newbyteorder("=")
        yield _Variable(name, numeric, (rows, columns), plain, source, order, stored)
