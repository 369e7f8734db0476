"""Pages of TIFF files: the photo, not the preview that raw-like files put in front of it."""

import struct
from dataclasses import dataclass

from mlanet.errors import ImageError

MAX_PAGES = 64
"""Pages that are looked at."""

_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2  # of SubfileType
_ONLY_RAW = (32803, 34892)  # photometric: a colour filter array, linear raw
_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC = 254, 255, 256, 257, 262
_ORIENTATION, _SUB_PAGES = 274, 330
_USED = {_SUBFILE, _OLD_SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _ORIENTATION, _SUB_PAGES}
_FORMATS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # of values that are used here


@dataclass(frozen=True, slots=True)
class _Page:
    offset: int
    tags: dict[int, tuple[int, ...]]

    def value(self, tag: int, default: int = 0) -> int:
        return self.tags.get(tag, (default,))[0]

    @property
    def is_photo(self) -> bool:
        """Whether it is neither a smaller copy nor a mask of another page."""
        reduced = self.value(_SUBFILE) & (_REDUCED | _MASK)
        return not reduced and self.value(_OLD_SUBFILE) != _OLD_REDUCED

    @property
    def pixels(self) -> int:
        return self.value(_WIDTH) * self.value(_HEIGHT)


@dataclass(frozen=True, slots=True)
class FirstPage:
    """A TIFF whose first page is the photo; `orientation` where only a preview had one."""

    content: bytes
    orientation: int | None = None


def photo_first(content: bytes, name: str) -> FirstPage:
    """The file with the photo as its first page: for Pillow, which reads that one.

    The first page stays where it is the photo, as in scans of many pages. Where it is marked as a
    reduced copy, or has a larger picture below it, the largest that is no copy takes its place.

    Raises:
        ImageError: the photo is raw data of a camera, and only its preview is a picture.
    """
    try:
        pages = _pages(content)
    except (struct.error, IndexError):  # Pillow says what is wrong with it
        return FirstPage(content)
    if not pages:
        return FirstPage(content)
    first = pages[0]
    below = first.tags.get(_SUB_PAGES, ())
    photos = [p for p in pages if p.is_photo and (not first.is_photo or p.offset in below)]
    best = max(photos, key=lambda page: page.pixels, default=first)
    if first.is_photo and best.pixels <= first.pixels:
        best = first
    if best.value(_PHOTOMETRIC) in _ONLY_RAW:
        raise ImageError(
            f"{name}: is a camera's raw file, of which only the preview can be read; "
            "save it as JPEG first"
        )
    if best is first:
        return FirstPage(content)
    header = bytearray(content)
    order, big = _layout(content)
    struct.pack_into(order + ("Q" if big else "I"), header, 8 if big else 4, best.offset)
    own = _ORIENTATION in best.tags
    return FirstPage(bytes(header), None if own else first.value(_ORIENTATION, 1))


def _layout(content: bytes) -> tuple[str, bool]:
    """Byte order for `struct`, and whether it is BigTIFF."""
    order = "<" if content[:2] == b"II" else ">"
    return order, struct.unpack_from(order + "H", content, 2)[0] == 43


def _pages(content: bytes) -> list[_Page]:
    """Pages in order, those below a page right after it."""
    order, big = _layout(content)
    start = struct.unpack_from(order + ("Q" if big else "I"), content, 8 if big else 4)[0]
    waiting, seen, pages = [start], {0}, list[_Page]()
    while waiting and len(pages) < MAX_PAGES:
        offset = waiting.pop(0)
        if offset in seen:
            continue
        seen.add(offset)
        page, following = _page(content, offset, order, big)
        pages.append(page)
        waiting = [*page.tags.get(_SUB_PAGES, ()), following, *waiting]
    return pages


def _page(content: bytes, offset: int, order: str, big: bool) -> tuple[_Page, int]:
    """A page's tags of whole numbers, and where the next page begins (0: nowhere)."""
    count_format, entry_format, word = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    (count,) = struct.unpack_from(order + count_format, content, offset)
    position = offset + struct.calcsize(order + count_format)
    tags: dict[int, tuple[int, ...]] = {}
    for _ in range(min(count, 4096)):
        tag, kind, length = struct.unpack_from(order + entry_format, content, position)
        value_at = position + struct.calcsize(order + entry_format)
        if tag in _USED and kind in _FORMATS and 0 < length <= MAX_PAGES:
            values = f"{order}{length}{_FORMATS[kind]}"
            if struct.calcsize(values) > word:
                (value_at,) = struct.unpack_from(order + ("Q" if big else "I"), content, value_at)
            tags[tag] = struct.unpack_from(values, content, value_at)
        position += struct.calcsize(order + entry_format) + word
    (following,) = struct.unpack_from(order + ("Q" if big else "I"), content, position)
    return _Page(offset, tags), following
