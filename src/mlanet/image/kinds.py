"""What kind of file it is, told from its first bytes: before it is read, and never by its name."""

import re

from mlanet.errors import ImageError

START_BYTES = 512
"""As many tell the kind of a file."""

_SIGNATURES = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "WEBP": rb"RIFF.{4}WEBP",
    "TIFF": rb"II\*\0|MM\0\*|II\+\0|MM\0\+|MM\*\0|II\0\*",
    "GIF": rb"GIF8[79]a",
    "BMP": rb"BM",
    "PPM": rb"P[1-6][\s#]",
    "JPEG2000": rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n",
}
"""First bytes of the formats that Pillow reads, by its names.

EPS, for which it would start Ghostscript, is not among them; AVIF and HEIC are told by brands."""

_FILM = "a film"

_FOREIGN = {
    _FILM: rb".{4}ftyp|.{4}(moov|mdat|wide|skip|free)|\x1aE\xdf\xa3|RIFF.{4}AVI |\0\0\x01\xba",
    "JPEG XL": rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n",
    "a camera's raw file": rb"II\*\0.{4}CR\x02|FUJIFILMCCD-RAW|IIRO|IIRS|IIU\0|.{4}ftypcrx ",
    "a Photoshop file": rb"8BPS",
    "a PDF": rb"%PDF-",
    "a drawing (SVG)": rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!DOCTYPE svg[^>]*>\s*)?<svg",
    "a web page": rb"(?i:\s*(<!doctype html|<html))",
    "a zip archive": rb"PK\x03\x04",
}

_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"}


def kind_of(start: bytes, name: str) -> str:
    """Pillow's name of a picture's format; `HEIF` for HEIC.

    Args:
        start: the first `START_BYTES` of the file, or all of a shorter one.
        name: what the message calls the file.

    Raises:
        ImageError: the file is empty or no picture of a format that is read.
    """
    if not start:
        raise ImageError(f"{name}: is empty")
    brands = _brands(start)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIC_BRANDS:
        return "HEIF"
    kind = _first(_SIGNATURES, start)
    if kind is not None and kind != "TIFF":
        return kind
    foreign = _first(_FOREIGN, start)  # some raw files are like TIFF
    if foreign == _FILM:
        raise ImageError(f"{name}: is a film, not a picture; mlanet video takes films")
    if foreign is not None:
        raise ImageError(f"{name}: is {foreign}, which is not read; save it as JPEG or PNG first")
    if kind is None:
        raise ImageError(f"{name}: is not a picture of a known format (JPEG, PNG, WebP, TIFF, ...)")
    return kind


def _first(patterns: dict[str, bytes], start: bytes) -> str | None:
    for kind, pattern in patterns.items():
        if re.match(pattern, start, re.DOTALL):
            return kind
    return None


def _brands(start: bytes) -> set[bytes]:
    """Brands of an ISO base media file: the main one and those that it is compatible with."""
    if start[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(start[:4]), len(start))
    return {start[8:12], *(start[k : k + 4] for k in range(16, end - 3, 4))}
