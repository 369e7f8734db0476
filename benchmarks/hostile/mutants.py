"""Damage to files: of any bytes, and of what containers of known structure hold."""

import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

import numpy as np

Random = np.random.Generator
Operation = Callable[[bytes, Random], bytes]

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (
    "1e999", "-1", "0", "9" * 400, "NaN", "Infinity", "null", "true", '"x"', "[]", "{}", "\x00",
    "[" * 3000, '{"a":' * 3000, "(" * 500, "x" * 200_000, "\u202e", "\ufeff", "١",
    "0x10", "1_0", "..",
)  # fmt: skip
MAX_BYTES = 32 * 1024**2


def mutate(content: bytes, rng: Random, structure: str = "") -> bytes:
    """The content with one to four pieces of damage.

    Args:
        content: of a whole file.
        rng: decides everything.
        structure: zip, tar, png, jpeg, mat or text; damage then also goes below the checksums of
            the container. Anything else: bytes only.
    """
    inner = STRUCTURED.get(structure)
    for _ in range(int(rng.integers(1, 5))):
        if inner is not None and rng.random() < 0.6:
            content = inner(content, rng)
        else:
            content = PLAIN[int(rng.integers(len(PLAIN)))](content, rng)
    return content[:MAX_BYTES]


def _place(content: bytes, rng: Random) -> int:
    """Somewhere; more often near the beginning and the end, where structure is."""
    reach = len(content) if rng.random() < 0.4 else min(len(content), 600)
    place = int(rng.integers(max(reach, 1)))
    return max(len(content) - 1 - place, 0) if rng.random() < 0.25 else place


def _flip(content: bytes, rng: Random) -> bytes:
    found = bytearray(content)
    for _ in range(int(rng.integers(1, 6)) if found else 0):
        found[_place(content, rng)] ^= 1 << int(rng.integers(8))
    return bytes(found)


def _replace(content: bytes, rng: Random) -> bytes:
    place, count = _place(content, rng), int(rng.integers(1, 16))
    return content[:place] + rng.bytes(count) + content[place + count :]


def _extreme(content: bytes, rng: Random) -> bytes:
    place, order = _place(content, rng), "<>"[int(rng.integers(2))]
    kind, bits = (("B", 8), ("H", 16), ("I", 32))[int(rng.integers(3))]
    value = EXTREMES[int(rng.integers(len(EXTREMES)))] & (2**bits - 1)
    return content[:place] + struct.pack(order + kind, value) + content[place + bits // 8 :]


def _truncate(content: bytes, rng: Random) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _remove(content: bytes, rng: Random) -> bytes:
    place = _place(content, rng)
    return content[:place] + content[place + int(rng.integers(1, 300)) :]


def _insert(content: bytes, rng: Random) -> bytes:
    place = _place(content, rng)
    return content[:place] + rng.bytes(int(rng.integers(1, 64))) + content[place:]


def _splice(content: bytes, rng: Random) -> bytes:
    first, second = sorted(int(n) for n in rng.integers(0, len(content) + 1, 2))
    piece, place = content[first : min(second, first + 5000)], _place(content, rng)
    return content[:place] + piece + content[place + (len(piece) if rng.random() < 0.5 else 0) :]


PLAIN: tuple[Operation, ...] = (
    _flip, _flip, _replace, _extreme, _extreme, _truncate, _remove, _insert, _splice,
)  # fmt: skip


def _zip(content: bytes, rng: Random) -> bytes:
    """A member is damaged, left out, doubled or made long; the archive itself is in order."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:  # it is damaged already
        return _flip(content, rng)
    members = _some_member_damaged(members, rng)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return target.getvalue()


def _tar(content: bytes, rng: Random) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = [(m.name, archive.extractfile(m).read()) for m in archive if m.isfile()]
    except Exception:  # it is damaged already
        return _flip(content, rng)
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, data in _some_member_damaged(members, rng):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return target.getvalue()


def _some_member_damaged(members: list[tuple[str, bytes]], rng: Random) -> list[tuple[str, bytes]]:
    if not members:
        return members
    chosen = int(rng.integers(len(members)))
    name, data = members[chosen]
    what = rng.random()
    if what < 0.08:
        return members[:chosen] + members[chosen + 1 :]
    if what < 0.16:
        return [*members, (name, PLAIN[int(rng.integers(len(PLAIN)))](data, rng))]
    if what < 0.2:
        data = data + bytes(200 * 1024**2)
    elif data.startswith(b"\x93NUMPY") and what < 0.8:
        data = _array(data, rng)
    elif name.endswith(".json"):
        data = _text(data, rng)
    else:
        data = PLAIN[int(rng.integers(len(PLAIN)))](data, rng)
    return [*members[:chosen], (name, data), *members[chosen + 1 :]]


def _array(content: bytes, rng: Random) -> bytes:
    """The header or the numbers of a .npy file."""
    end = 10 + int.from_bytes(content[8:10], "little")
    header = content[10:end].decode("latin1")
    what = int(rng.integers(5))
    if what == 0:
        kinds = ("'|O'", "'<f2'", "'<c16'", "'<U9'", "'<M8[s]'", "'|V8'", "'>i8'", "[('a','<f8')]")
        header = re.sub(r"'[<>|=]\w+'", kinds[int(rng.integers(len(kinds)))], header, count=1)
    elif what == 1:
        sizes = ("(0,)", "()", "(-1,)", "(4294967296, 4294967296)", "(1000000000,)", "(3, 3)")
        header = re.sub(r"\([^)]*\)", sizes[int(rng.integers(len(sizes)))], header, count=1)
    elif what == 2:
        header = WORDS[int(rng.integers(len(WORDS)))][:60_000]
    else:
        numbers = bytearray(content[end:])
        for _ in range(int(rng.integers(1, 20))):
            value = (np.nan, np.inf, -np.inf, 1e300, -1.0, 2.0**31, 0.0)[int(rng.integers(7))]
            kind = ("<f4", "<f8", "<i4", "<i8")[int(rng.integers(4))]
            with np.errstate(all="ignore"):
                piece = np.array(value).astype(kind).tobytes()
            place = int(rng.integers(max(len(numbers) // 8, 1))) * 8
            numbers[place : place + len(piece)] = piece
        return content[:end] + bytes(numbers)
    written = header.encode("utf-8")
    return content[:8] + (len(written) & 0xFFFF).to_bytes(2, "little") + written + content[end:]


def _text(content: bytes, rng: Random) -> bytes:
    """Numbers, words and lines of a text are replaced, doubled or left out."""
    text = content.decode("utf-8", "replace")
    tokens = list(re.finditer(r"-?[\d.]+(?:e[+-]?\d+)?|\w+|[\[\]{}:,]", text))
    if not tokens:
        return _insert(content, rng)
    token = tokens[int(rng.integers(len(tokens)))]
    what = rng.random()
    if what < 0.6:
        word = WORDS[int(rng.integers(len(WORDS)))]
        text = text[: token.start()] + word + text[token.end() :]
    elif what < 0.8:
        text = text[: token.start()] + text[token.end() :]
    else:
        lines = text.splitlines(keepends=True)
        first, second = (int(n) for n in rng.integers(0, len(lines), 2))
        lines[first] = lines[second] * int(rng.choice([0, 2, 200]))
        text = "".join(lines)
    return text.encode("utf-8", "replace")


def _png(content: bytes, rng: Random) -> bytes:
    """Chunks are damaged, left out, doubled or moved; their checksums are right."""
    chunks, place = [], 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        chunks.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + length]))
        place += 12 + length
    if not chunks:
        return _flip(content, rng)
    chosen, what = int(rng.integers(len(chunks))), int(rng.integers(6))
    kind, data = chunks[chosen]
    if what == 0:
        del chunks[chosen]
    elif what == 1:
        chunks.insert(int(rng.integers(len(chunks))), (kind, data))
    elif what == 2:
        extra = (b"iCCP", b"x\0\0" + zlib.compress(bytes(2_000_000)))
        extra = (extra, (b"zTXt", extra[1]), (b"eXIf", rng.bytes(40)), (b"tRNS", rng.bytes(7)))
        chunks.insert(1, extra[int(rng.integers(4))])
    elif what == 3 and chunks[0][0] == b"IHDR":
        chunks[0] = (b"IHDR", _extreme(chunks[0][1], rng)[:13])
    else:
        chunks[chosen] = (kind, PLAIN[int(rng.integers(len(PLAIN)))](data, rng))
    found = content[:8]
    for kind, data in chunks:
        body = kind + data
        found += len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
    return found


def _jpeg(content: bytes, rng: Random) -> bytes:
    """Segments are damaged, left out, doubled or moved; scans are repeated."""
    starts = [m.start() for m in re.finditer(rb"\xff[\xc0-\xcf\xda-\xef\xfe]", content)]
    if len(starts) < 2:
        return _flip(content, rng)
    pieces = [content[: starts[0]]]
    pieces += [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]
    chosen, what = int(rng.integers(1, len(pieces))), int(rng.integers(5))
    if what == 0:
        del pieces[chosen]
    elif what == 1:
        pieces.insert(int(rng.integers(1, len(pieces))), pieces[chosen])
    elif what == 2:
        scans = [k for k, piece in enumerate(pieces) if piece[:2] == b"\xff\xda"]
        if scans:
            pieces[scans[-1]] *= int(rng.choice([2, 30, 3000]))
    else:
        segment = pieces[chosen]
        pieces[chosen] = segment[:2] + PLAIN[int(rng.integers(len(PLAIN)))](segment[2:], rng)
    return b"".join(pieces)


def _mat(content: bytes, rng: Random) -> bytes:
    """Types and sizes of elements of an uncompressed .mat file; a cell in a cell in a cell."""
    if rng.random() < 0.1:
        depth = int(rng.choice([10, 1000, 30_000]))
        return content[:128] + _nested_cells(depth) + content[128:]
    if rng.random() < 0.1:
        return content[:128] + _compressed(_nested_cells(20_000)) + content[128:]
    places = range(128, len(content) - 8, 8)
    if not places:
        return _flip(content, rng)
    place = places[int(rng.integers(min(len(places), 40 if rng.random() < 0.7 else len(places))))]
    field = int(rng.integers(2))
    value = int(rng.integers(20)) if field == 0 or rng.random() < 0.3 else EXTREMES[-4]
    place += 4 * field
    return content[:place] + struct.pack("<I", value) + content[place + 4 :]


def _nested_cells(depth: int) -> bytes:
    cell = struct.pack("<IIII", 6, 8, 1, 0) + struct.pack("<IIii", 5, 8, 1, 1)
    head = cell + struct.pack("<II", 1, 0)
    size = len(head) * depth + 8 * depth
    sizes = (size - (len(head) + 8) * level - 8 for level in range(depth))
    return b"".join(struct.pack("<II", 14, left) + head for left in sizes)


def _compressed(element: bytes) -> bytes:
    packed = zlib.compress(element, 1)
    return struct.pack("<II", 15, len(packed)) + packed


STRUCTURED: dict[str, Operation] = {
    "zip": _zip,
    "tar": _tar,
    "png": _png,
    "jpeg": _jpeg,
    "mat": _mat,
    "npy": _array,
    "text": _text,
}
