"""Pixels of a Pillow picture of any mode as sRGB, by its colour profile where it has one."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from jaxtyping import UInt8

from mlanet.image.arrays import eight_bit, over_white

if TYPE_CHECKING:
    from PIL import Image

_Transform: TypeAlias = "Callable[[Image.Image], Image.Image]"

STRIP_PIXELS = 1 << 18
"""Converted at a time: copies of a large picture do not add up, and stay in the cache."""

_SAME_LEVELS = 1
_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK", "LAB": "Lab"}
_BASES = {"1": "L", "L": "L", "LA": "L", "La": "L", "CMYK": "CMYK", "LAB": "LAB"}
_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0


@dataclass(frozen=True, slots=True)
class _Conversion:
    """How strips of one picture become sRGB: mode of the colours, and the profile's transform."""

    base: str
    transform: "_Transform | None"
    transparent: bool

    def __call__(self, strip: "Image.Image") -> UInt8[np.ndarray, "h w 3"]:
        if not self.transparent:
            return self._colors(strip if strip.mode == self.base else strip.convert(self.base))
        rgba = (strip.convert("LA") if strip.mode == "La" else strip).convert("RGBA")
        grey = self.base == "L"
        colors = self._colors(rgba.getchannel("R") if grey else rgba.convert("RGB"))
        return over_white(colors, np.asarray(rgba.getchannel("A"))[:, :, None])

    def _colors(self, strip: "Image.Image") -> UInt8[np.ndarray, "h w 3"]:
        if self.transform is not None:
            strip = self.transform(strip)
        return np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


def srgb_pixels(picture: "Image.Image", profile: bytes | None, name: str) -> np.ndarray:
    """The colours of a loaded picture as sRGB: a new array `(H, W, 3)` uint8 in one piece.

    Transparency is laid over white. A profile that cannot be used, or that belongs to another
    kind of colours than the picture's, is left out; one whose colours are sRGB's changes no pixel.

    Args:
        picture: of any mode; it is not changed.
        profile: an ICC profile.
        name: what a message calls the picture.

    Raises:
        ImageError: levels of 32 bits outside [0, 1] (floats) or [0, 255] (whole numbers).
    """
    levels = _deep_levels(picture, name)
    if levels is None:
        convert = _conversion(picture.mode, profile, picture.has_transparency_data)
    else:
        convert = _conversion("L", profile, transparent=False)
    width, height = picture.size
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        whole = bottom - top == height
        strip = picture if whole else picture.crop((0, top, width, bottom))
        pixels[top:bottom] = convert(strip if levels is None else levels(strip))
    return pixels


def _conversion(mode: str, profile: bytes | None, transparent: bool) -> _Conversion:
    base = _BASES.get(mode, "RGB")
    if base == "LAB":
        return _Conversion(base, _lab_transform(), transparent)
    if profile is None:
        return _Conversion(base, None, transparent)
    space = _space(profile)
    if base == "L" and space == "RGB":  # of a photo that was turned grey and kept its profile
        base = "RGB"
    fits = space == _SPACES[base]
    return _Conversion(base, _srgb_transform(profile, base) if fits else None, transparent)


def _deep_levels(
    picture: "Image.Image", name: str
) -> "Callable[[Image.Image], Image.Image] | None":
    """How grey of 16 or 32 bits becomes 8 bits; None for other modes."""
    from PIL import Image

    mode = picture.mode
    if not mode.startswith("I") and mode != "F":
        return None
    sixteen = mode.startswith("I;16") or picture.format in ("PNG", "PPM")  # "I" in some versions
    tags: Any = getattr(picture, "tag_v2", {})
    bits = tags.get(_BITS_PER_SAMPLE, (16,))[0]
    negative = sixteen and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO

    def levels(strip: "Image.Image") -> "Image.Image":
        values = np.asarray(strip)
        if sixteen:
            values = values.astype(np.uint16) << (16 - bits) if bits < 16 else values
            values = values.astype(np.uint16)
        grey = eight_bit(values, name)
        return Image.fromarray(255 - grey if negative else grey)

    return levels


@lru_cache(maxsize=32)
def _space(profile: bytes) -> str | None:
    """The kind of colours that a profile describes; None if it cannot be read."""
    from PIL import ImageCms

    try:
        opened: Any = ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile
        return opened.xcolor_space.strip()
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None


@lru_cache(maxsize=32)
def _srgb_transform(profile: bytes, mode: str) -> "_Transform | None":
    """From a profile to sRGB by littleCMS; None if it cannot be used, or changes no colour.

    Greys go through a table of all levels: what littleCMS precomputes for them is 9 levels off.
    """
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        flags = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        transform = ImageCms.buildTransform(source, target, mode, "RGB", flags=flags)
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None
    probe = _probe(mode)
    if probe is None:
        return transform.apply
    before = np.asarray(probe.convert("RGB")).astype(int)
    after = np.asarray(transform.apply(probe))
    if np.abs(after - before).max() <= _SAME_LEVELS:
        return None
    return transform.apply if mode == "RGB" else partial(_through_table, after[0])


def _through_table(table: UInt8[np.ndarray, "256 3"], strip: "Image.Image") -> "Image.Image":
    from PIL import Image

    return Image.fromarray(table[np.asarray(strip)])


@lru_cache(maxsize=1)
def _lab_transform() -> "_Transform":
    from PIL import ImageCms

    source, target = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.buildTransform(source, target, "LAB", "RGB").apply


def _probe(mode: str) -> "Image.Image | None":
    """Colours by which a profile is judged: all greys and, for RGB, a grid of the cube."""
    from PIL import Image

    if mode not in ("L", "RGB"):
        return None
    greys = np.arange(256, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(greys[None])
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)
    return Image.fromarray(np.concatenate([np.repeat(greys[:, None], 3, axis=1), grid])[None])
