"""Any picture file or array as upright RGB."""

import io
import os
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Num, Shaped, UInt8

from mlanet.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 120_000_000
"""Larger pictures are refused from their header, before memory is taken (360 MB decoded)."""

MAX_SIDE_PX = 32_000
"""OpenCV resamples no picture that is wider or higher than 32,767 pixels."""

MIN_SIDE_PX = 16
"""Nothing can be found in less."""

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "AVIF", "PPM", "JPEG2000")
"""What is read, by Pillow's names. EPS, for which it would start Ghostscript, is not among them."""

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_ORIENTATION_TAG = 0x0112

_warnings_lock = threading.Lock()


def read_image(source: Any, *, name: str | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of a file, by path or opened, as upright sRGB, `(H, W, 3)` uint8.

    Reads `FORMATS` (JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF, PPM, JPEG 2000), as far as Pillow was
    built with them. The orientation of EXIF is applied; of animations the first frame is taken;
    transparency is laid over white, as most viewers show it; an embedded colour profile is
    converted to sRGB; 16-bit grey is scaled by the type's range, so that nothing is clipped.

    Raises:
        ImageError: the file is missing, a folder, empty, no picture, damaged, or its size is
            below `MIN_SIDE_PX` or above `MAX_PIXELS`. The message begins with the path.
    """
    if isinstance(source, str | os.PathLike):
        name = name or os.fspath(source)
        content = _content(Path(name))
    else:
        name = name or "picture"
        content = source.read()
    try:
        with _open(content) as picture:
            _check_size(picture.width, picture.height, name)
            picture.load()
            orientation = _orientation(picture)
            pixels = _srgb(picture)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise anything on damaged files
        raise ImageError(f"{name}: {_reason(error, content)}") from error
    return np.ascontiguousarray(_upright(pixels, orientation))


def as_rgb_uint8(
    image: Shaped[np.ndarray, "..."], name: str = "image"
) -> UInt8[np.ndarray, "h w 3"]:
    """An array of a library's user as `(H, W, 3)` uint8 RGB.

    Args:
        image: `(H, W)`, `(H, W, 1)` grey, `(H, W, 2)` grey and alpha, `(H, W, 3)` RGB or
            `(H, W, 4)` RGBA, as uint8, uint16 (scaled by the type's range) or float in [0, 1].
            Transparency is laid over white.
        name: what the message calls it.

    Raises:
        ImageError: another shape or type, a float outside [0, 1] or not finite, or a side below
            `MIN_SIDE_PX`.
    """
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or not 1 <= image.shape[2] <= 4:
        raise ImageError(f"{name}: expected shape (H, W, 3), got {image.shape}")
    _check_size(image.shape[1], image.shape[0], name)
    pixels = eight_bit(image, name)
    if pixels.shape[2] in (2, 4):
        pixels = _over_white(pixels)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def eight_bit(image: Shaped[np.ndarray, "..."], name: str) -> UInt8[np.ndarray, "..."]:
    """uint8, uint16 or float in [0, 1] as uint8 of the same shape.

    Raises:
        ImageError: another type, or a float outside [0, 1] or not finite.
    """
    if image.dtype == np.uint8:
        return image
    if image.dtype == np.uint16:
        return ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if not np.issubdtype(image.dtype, np.floating):
        raise ImageError(f"{name}: values must be uint8 or float in [0, 1], got {image.dtype}")
    if not np.isfinite(image).all():
        raise ImageError(f"{name}: some values are not finite")
    low, high = float(image.min(initial=0.0)), float(image.max(initial=0.0))
    tolerance = 1e-6
    if low < -tolerance or high > 1.0 + tolerance:
        raise ImageError(f"{name}: floats must lie in [0, 1], these in [{low:g}, {high:g}]")
    return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)


def _content(path: Path) -> bytes:
    """The file's bytes."""
    if path.is_dir():
        raise ImageError(f"{path}: is a folder, not a picture")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"{path}: cannot be read ({reason})") from error
    if not content:
        raise ImageError(f"{path}: is empty")
    return content


def _open(content: bytes) -> "Image.Image":
    """The picture with its header read; Pillow's own warning of large pictures is not shown."""
    from PIL import Image

    with _warnings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        return Image.open(io.BytesIO(content), formats=readable_formats())


@cache
def readable_formats() -> tuple[str, ...]:
    """Those of `FORMATS` that this Pillow has: for `Image.open`, which would try all by itself."""
    from PIL import Image

    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _check_size(width: int, height: int, name: str) -> None:
    if min(width, height) < MIN_SIDE_PX:
        raise ImageError(
            f"{name}: {width}x{height} pixels are too few; each side needs {MIN_SIDE_PX}"
        )
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
        raise ImageError(
            f"{name}: {width}x{height} pixels are too many; the limit is "
            f"{MAX_PIXELS // 1_000_000} megapixels and {MAX_SIDE_PX} on a side"
        )


def _reason(error: Exception, content: bytes) -> str:
    """One line for an error of Pillow's."""
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS:
            return "is HEIC, which is not read; save it as JPEG or PNG first"
        return "is not a picture of a known format (JPEG, PNG, WebP, TIFF, ...)"
    if isinstance(error, Image.DecompressionBombError):
        return f"has too many pixels; the limit is {MAX_PIXELS // 1_000_000} megapixels"
    detail = " ".join(str(error).split()) or type(error).__name__
    return f"is damaged or incomplete ({detail})"


def _orientation(picture: "Image.Image") -> int:
    """EXIF orientation 1-8; 1 where there is none or the EXIF block is damaged."""
    try:
        value: Any = picture.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block hides no pixel: show the picture as it lies
        return 1
    return value if value in range(1, 9) else 1


def _upright(pixels: UInt8[np.ndarray, "h w 3"], orientation: int) -> UInt8[np.ndarray, "a b 3"]:
    """Undo an EXIF orientation: 5-8 swap the axes, then some mirror x, some y."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _srgb(picture: "Image.Image") -> UInt8[np.ndarray, "h w 3"]:
    """Pixels of any mode as sRGB."""
    if picture.mode.startswith("I;16"):
        return _grey(np.asarray(picture).astype(np.uint16))
    if picture.mode == "I" and picture.format in ("PNG", "PPM"):  # 16 bits, in some versions
        return _grey(np.asarray(picture).astype(np.uint16))
    if picture.mode in ("I", "F"):
        raise ValueError("32-bit grey has no known range; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        return _over_white(np.asarray(picture.convert("RGBA")))
    return np.asarray(_convert_profile(picture))


def _grey(values: Num[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    return np.repeat(eight_bit(values, "image")[:, :, None], 3, axis=2)


def _convert_profile(picture: "Image.Image") -> "Image.Image":
    """RGB, through the embedded colour profile if there is a usable one."""
    from PIL import ImageCms

    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "CMYK"):
        return picture.convert("RGB")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return picture.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(picture, source, target, outputMode="RGB")
    except (OSError, ImageCms.PyCMSError):  # damaged, or of another colour space than the pixels
        return picture.convert("RGB")
    return converted or picture.convert("RGB")


def _over_white(pixels: UInt8[np.ndarray, "h w c"]) -> UInt8[np.ndarray, "h w d"]:
    """Colours over white, weighted by the last channel."""
    alpha = pixels[:, :, -1:].astype(np.uint16)
    mixed = pixels[:, :, :-1] * alpha + 255 * (255 - alpha) + 127
    return (mixed // 255).astype(np.uint8)
