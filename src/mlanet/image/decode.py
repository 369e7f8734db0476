"""Encoded pictures of every format as pixels, whole or slightly damaged."""

import io
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import ImageError
from mlanet.extras import install_command
from mlanet.files import one_line
from mlanet.image.colour import srgb_pixels
from mlanet.image.jpeg import END, MAX_SCANS, has_too_many_scans
from mlanet.image.kinds import START_BYTES, kind_of
from mlanet.image.limits import MAX_PIXELS, check_size
from mlanet.image.png import cicp_of, repaired_png
from mlanet.image.profiles import profile_of
from mlanet.image.quiet import no_warnings, quiet
from mlanet.image.tiff import photo_first

if TYPE_CHECKING:
    from PIL import Image

MIN_SHARE = 0.1
"""Of a damaged picture's rows; with fewer it is refused."""

_NOISY = ("TIFF", "AVIF", "HEIF")
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True, slots=True)
class Decoded:
    """sRGB pixels as they are stored, the EXIF orientation that turns them upright, damage."""

    pixels: UInt8[np.ndarray, "h w 3"]
    orientation: int
    damage: str | None = None


def decode(content: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Decoded:
    """The picture in a file's bytes.

    Raises:
        ImageError: they are no picture, too damaged, or its size is outside the limits.
    """
    kind = kind_of(content[:START_BYTES], name)
    if kind == "JPEG" and has_too_many_scans(content):
        raise ImageError(f"{name}: has more than {MAX_SCANS} scans; no camera writes such a JPEG")
    orientation = None
    if kind == "TIFF":
        page = photo_first(content, name)
        content, orientation = page.content, page.orientation
    try:
        decoded = _decoded(content, kind, name, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        reason = _reason(error)
        try:
            decoded = _repaired(content, kind, name, max_pixels)
        except ImageError:
            raise
        except Exception:
            decoded = None
        if decoded is None:
            raise ImageError(f"{name}: {reason}") from error
    return decoded if orientation is None else replace(decoded, orientation=orientation)


def decode_pillow(picture: "Image.Image", name: str) -> Decoded:
    """A Pillow image, as its mode, its profile and its EXIF data say; it is not changed.

    Raises:
        ImageError: its file is damaged, or its size is outside the limits.
    """
    check_size(picture.width, picture.height, name)
    try:
        return _pixels(picture, picture.format or "", name)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{name}: {_reason(error)}") from error


def check_header(file: io.BufferedIOBase, kind: str, name: str) -> None:
    """Whether the header of an open file is whole and its size within the limits.

    Raises:
        ImageError: it is not.
    """
    try:
        with _open(file, kind, name) as picture:
            check_size(picture.width, picture.height, name)
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"{name}: {_reason(error)}") from error


def _decoded(content: bytes, kind: str, name: str, max_pixels: int) -> Decoded:
    with _open(io.BytesIO(content), kind, name) as picture:
        check_size(picture.width, picture.height, name, max_pixels)
        return _pixels(picture, kind, name, cicp_of(content) if kind == "PNG" else None)


def _pixels(
    picture: "Image.Image", kind: str, name: str, cicp: tuple[int, int, int, int] | None = None
) -> Decoded:
    if kind in _NOISY:
        with quiet(), no_warnings():
            picture.load()
    else:
        picture.load()
    profile = profile_of(picture, cicp)
    return Decoded(srgb_pixels(picture, profile, name), _orientation(picture))


def _repaired(content: bytes, kind: str, name: str, max_pixels: int) -> Decoded | None:
    """A JPEG up to where it ends, a PNG without its damaged parts; None for other formats."""
    if kind == "JPEG":
        decoded = _decoded(content + END, kind, name, max_pixels)
        share = 1.0 - _empty_rows(decoded.pixels) / len(decoded.pixels)
    elif kind == "PNG" and (repaired := repaired_png(content)) is not None:
        decoded = _decoded(repaired.content, kind, name, max_pixels)
        share = repaired.share
    else:
        return None
    missing = f"the lower {max(100 * (1 - share), 1):.0f} % of the picture are missing"
    if share < MIN_SHARE:
        raise ImageError(f"{name}: is damaged or incomplete ({missing})")
    return replace(decoded, damage=f"is damaged, read as far as it goes{_detail(share, missing)}")


def _detail(share: float, missing: str) -> str:
    return f"; {missing}" if share < 1.0 else ""


def _empty_rows(pixels: UInt8[np.ndarray, "h w 3"]) -> int:
    """Rows at the bottom of one single colour, as libjpeg fills what it has no data for."""
    filled = (pixels == pixels[-1, -1]).all(axis=(1, 2))
    return int(np.argmin(filled[::-1])) if not filled.all() else len(pixels)


def _open(file: Any, kind: str, name: str) -> "Image.Image":
    """The picture with its header read; Pillow's own warnings are not shown."""
    from PIL import Image

    if kind == "HEIF":
        return _open_heic(file, name)
    if not _has_decoder(kind):
        raise ImageError(f"{name}: is {kind}, for which Pillow lacks the decoder; update Pillow")
    with no_warnings():
        return Image.open(file, formats=(kind,))


def _open_heic(file: Any, name: str) -> "Image.Image":
    try:
        from pillow_heif import HeifImageFile  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        needed = f"is HEIC, which needs pillow-heif: {install_command('heic')}"
        raise ImageError(f"{name}: {needed}") from error
    with quiet():
        return HeifImageFile(file)


def _has_decoder(kind: str) -> bool:
    """Whether Pillow can read a kind; what reads the usual ones is there in no time."""
    from PIL import Image

    Image.preinit()
    return (kind in Image.OPEN and kind != "AVIF") or kind in _pillow_formats()


@cache
def _pillow_formats() -> frozenset[str]:
    from PIL import Image, features

    Image.init()
    without_decoder = {"AVIF"} if not features.check("avif") else set[str]()
    return frozenset(Image.OPEN) - without_decoder


def _orientation(picture: "Image.Image") -> int:
    """EXIF orientation 1-8; 1 where there is none or the EXIF block is damaged."""
    with no_warnings():
        try:
            value: Any = picture.getexif().get(_ORIENTATION_TAG, 1)
        except Exception:  # a damaged EXIF block hides no pixel: show the picture as it lies
            return 1
    return value if value in range(1, 9) else 1


def _reason(error: Exception) -> str:
    """One line for an error of Pillow's."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, Image.DecompressionBombError):
        return f"has too many pixels; the limit is {MAX_PIXELS // 1_000_000} megapixels"
    if isinstance(error, MemoryError):
        return "takes more memory than there is"
    if isinstance(error, UnidentifiedImageError):  # whose text names a file in memory
        return "is damaged or incomplete (its header)"
    return f"is damaged or incomplete ({one_line(error)})"
