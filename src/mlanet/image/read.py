"""The one way in for pictures: whatever holds one becomes upright sRGB."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from jaxtyping import UInt8

from mlanet.errors import ImageError, ImageWarning
from mlanet.files import one_line, start_of
from mlanet.image.arrays import array_pixels
from mlanet.image.decode import check_header, decode, decode_pillow
from mlanet.image.kinds import START_BYTES, kind_of
from mlanet.image.limits import MAX_PIXELS
from mlanet.image.quiet import warnings_lock
from mlanet.image.sources import ReadableFile, file_content, path_content

if TYPE_CHECKING:
    from PIL import Image


class ArrayLike(Protocol):
    """An array, or what can become one, such as a tensor on the CPU."""

    def __array__(self) -> np.ndarray:
        """The values."""
        ...


_Encoded: TypeAlias = bytes | bytearray | memoryview
_Path: TypeAlias = str | os.PathLike[str]
ImageSource: TypeAlias = "_Path | _Encoded | ReadableFile | Image.Image | ArrayLike"
"""What holds a picture: path, encoded bytes, open binary file, Pillow image, array."""


def read_image(
    source: "ImageSource",
    *,
    bgr: bool = False,
    upright: bool = True,
    name: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture as upright sRGB: a new array `(H, W, 3)` uint8, in one piece.

    Files, by path, as bytes or opened: JPEG, PNG, WebP, TIFF, GIF, BMP, PPM, JPEG 2000, AVIF as
    far as Pillow was built with them, HEIC with the extra `heic`. The kind is told from the first
    bytes. The orientation of EXIF is applied; of animations the first frame is taken, of TIFF the
    photo and not its preview; transparency is laid over white, as most viewers show it; 16-bit
    levels are scaled by the type's range, so that nothing is clipped. Damage that browsers read
    over (a JPEG or PNG without its end, wrong checksums in chunks that a PNG can do without)
    is an `ImageWarning`.

    Colours: an embedded ICC profile is applied by littleCMS, in every mode and judged by what it
    does; one that does nothing (sRGB) leaves the pixels as they are, as does one that cannot be
    used. PNG's `cICP`, `sRGB` and `gAMA` with `cHRM` count as its specification says, but for
    HDR's curves (PQ, HLG), which are left alone; so are the colour boxes of AVIF and HEIC that are
    no ICC profile. CMYK and greys without a profile are taken as Pillow does.

    Args:
        source: a file's path; its bytes; a file opened in binary mode, read from where it stands
            and left open; a Pillow image, whose own orientation, mode and profile count; an array
            `(H, W)`, `(H, W, 1)` grey, `(H, W, 2)` grey and alpha, `(H, W, 3)` RGB or
            `(H, W, 4)` RGBA: floats in [0, 1], uint16 by the type's range, truth values, other
            whole numbers as levels in [0, 255]; what turns into such an array (a tensor on the
            CPU); an array of one dimension holds a file's bytes.
        bgr: whether arrays are in OpenCV's order, blue first. Files know their own order.
        upright: whether EXIF's orientation is applied; without it, pixels stay where they are
            stored, as annotated data sets mean them.
        name: what messages call the picture; without it, the path or the kind of source.
        max_pixels: files with more are refused from their header.

    Raises:
        ImageError: the source is no picture, missing, too damaged, or its size is below
            `MIN_SIDE_PX` or above `max_pixels`. One line that begins with the name.
    """
    from PIL import Image

    name = name or _name_of(source)
    if isinstance(source, Image.Image):
        decoded = decode_pillow(source, name)
    else:
        content = _content(source, name)
        if not isinstance(content, bytes):
            return array_pixels(content, name, bgr=bgr)
        decoded = decode(content, name, max_pixels)
    if decoded.damage is not None:
        with warnings_lock:
            warnings.warn(f"{name}: {decoded.damage}", ImageWarning, stacklevel=2)
    return _upright(decoded.pixels, decoded.orientation if upright else 1)


def check_image(path: str | os.PathLike[str]) -> None:
    """Whether a file is a picture by its header; no pixel is decoded where the header is whole.

    Raises:
        ImageError: as `read_image`.
    """
    name = os.fsdecode(path)
    kind = kind_of(start_of(Path(name), START_BYTES, ImageError), name)
    with Path(name).open("rb") as file:
        try:
            check_header(file, kind, name)
        except ImageError:  # it says what is wrong, or the damage is slight
            read_image(path)


def _name_of(source: Any) -> str:
    """What messages call a source without a name."""
    if isinstance(source, str | os.PathLike):
        return os.fsdecode(source)
    for attribute in ("filename", "name"):  # of Pillow images, of open files
        name = getattr(source, attribute, None)
        if isinstance(name, str | bytes | os.PathLike) and name:
            return os.fsdecode(name)
    encoded = isinstance(source, bytes | bytearray | memoryview)
    return "picture" if encoded else f"picture ({type(source).__name__})"


def _content(source: Any, name: str) -> bytes | np.ndarray:
    """A file's bytes, or the values of an array."""
    if isinstance(source, str | os.PathLike):
        return path_content(source)
    if isinstance(source, bytes | bytearray):
        return bytes(source)
    if not hasattr(source, "__array__") and not isinstance(source, memoryview):
        if hasattr(source, "read"):
            return file_content(source, name)
        raise ImageError(
            f"{name}: a picture is a path, bytes, an open file, a Pillow image or an array"
        )
    try:
        array = np.asarray(source)
    except Exception as error:  # tensors of other devices, or with gradients
        raise ImageError(f"{name}: is no array on the CPU ({one_line(error)})") from error
    return array.tobytes() if array.ndim == 1 and array.dtype == np.uint8 else array


def _upright(pixels: UInt8[np.ndarray, "h w 3"], orientation: int) -> UInt8[np.ndarray, "a b 3"]:
    """Undo an EXIF orientation: 5-8 swap the axes, then some mirror x, some y."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
