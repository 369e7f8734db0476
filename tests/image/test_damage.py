"""Files that are slightly damaged, and those that only look like a picture."""

import io
import struct
import time
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image, ImageFile

from mlanet.errors import ImageError, ImageWarning
from mlanet.image import check_image, read_image
from mlanet.image.jpeg import MAX_SCANS


@pytest.fixture
def photo():
    """160 x 200 pixels that no decoder makes up by itself."""
    coarse = np.random.default_rng(0).integers(0, 256, (20, 25, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((200, 160), Image.Resampling.BICUBIC))


def saved(pixels, kind, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def read_damaged(data, name="photo"):
    """The pixels; exactly one warning of ours names the file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pixels = read_image(data, name=name)
    assert [entry.category for entry in caught] == [ImageWarning]
    message = str(caught[0].message)
    assert message.startswith(f"{name}: is damaged, read as far as it goes")
    assert "\n" not in message
    assert caught[0].filename == __file__
    return pixels, message


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lost", [2, 20])
def test_a_jpeg_without_its_end(photo, progressive, lost):
    whole = saved(photo, "JPEG", quality=90, progressive=progressive)
    pixels, message = read_damaged(whole[:-lost])
    off = np.abs(pixels.astype(int) - read_image(whole))
    if lost == 2:
        assert off.max() == 0
        assert "%" not in message
    assert off.mean() < 1.0


def test_half_a_jpeg_says_how_much_is_missing(photo):
    whole = saved(photo, "JPEG", quality=90)
    pixels, message = read_damaged(whole[: len(whole) // 2])
    off = np.abs(pixels.astype(int) - read_image(whole)).max(axis=(1, 2))
    right = int(np.argmax(off > 0))
    assert 60 < right < 100
    assert "the lower 4" in message or "the lower 5" in message
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_image(whole[: whole.index(b"\xff\xda") + 60])


def test_an_early_progressive_jpeg_is_coarse(photo):
    whole = saved(photo, "JPEG", quality=90, progressive=True)
    pixels, _ = read_damaged(whole[: int(0.97 * len(whole))])
    assert np.abs(pixels.astype(int) - read_image(whole)).mean() < 3


def test_turned_and_damaged(photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = saved(photo, "JPEG", exif=exif)
    pixels, _ = read_damaged(whole[:-2])
    np.testing.assert_array_equal(pixels, read_image(whole))
    assert pixels.shape == (200, 160, 3)


def chunk(kind, data, checksum=None):
    right = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum or right)


@pytest.mark.parametrize("kind", [b"tEXt", b"pHYs", b"gAMA", b"iCCP", b"tIME", b"zTXt"])
def test_a_wrong_checksum_in_a_png(photo, kind):
    whole = saved(photo, "PNG")
    place = whole.index(b"IDAT") - 4
    pixels, message = read_damaged(whole[:place] + chunk(kind, b"whatever\0x", 1) + whole[place:])
    np.testing.assert_array_equal(pixels, photo)
    assert "%" not in message


def test_a_text_too_long_for_pillow_hides_no_pixel(photo):
    whole = saved(photo, "PNG")
    place = whole.index(b"IDAT") - 4
    text = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    pixels, _ = read_damaged(whole[:place] + chunk(b"zTXt", text) + whole[place:])
    np.testing.assert_array_equal(pixels, photo)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_a_png_that_is_cut(photo, mode):
    picture = Image.fromarray(photo).convert(mode)
    file = io.BytesIO()
    picture.save(file, "PNG")
    whole = file.getvalue()
    pixels, message = read_damaged(whole[: int(0.7 * len(whole))])
    right = (pixels == read_image(whole)).all(axis=(1, 2))
    rows = int(np.argmin(right))
    assert 90 < rows < 150
    assert f"the lower {100 - 100 * rows / 160:.0f}"[:11] in message
    with pytest.raises(ImageError, match="damaged"):
        read_image(whole[: int(0.05 * len(whole))])


def test_damage_of_headers_and_of_other_formats_is_an_error(photo):
    png = bytearray(saved(photo, "PNG"))
    png[29] ^= 1  # the header's checksum
    cut = {kind: saved(photo, kind) for kind in ("GIF", "WEBP", "BMP", "TIFF")}
    for data in (bytes(png), *(data[: len(data) // 2] for data in cut.values())):
        with pytest.raises(ImageError, match="is damaged or incomplete"):
            read_image(data)


def test_damage_is_read_by_threads_and_changes_nothing_of_pillow(photo):
    whole = saved(photo, "JPEG")
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ThreadPoolExecutor(8) as pool:
            read = list(pool.map(lambda k: read_image(whole[:-2], name=str(k)), range(32)))
    assert len(caught) == 32
    assert all((pixels == read[0]).all() for pixels in read)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert list(warnings.filters) == filters


def test_single_changed_bytes_are_errors_of_ours_or_pictures():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (24, 24, 3), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ImageWarning)
        for kind in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
            whole = saved(small, kind)
            for _ in range(150):
                damaged = bytearray(whole)
                damaged[rng.integers(len(damaged))] = rng.integers(256)
                data = bytes(damaged[: rng.integers(1, 3 * len(damaged))])
                with suppress(ImageError):  # nothing else is raised, no other warning
                    assert read_image(data).dtype == np.uint8


def scans(count, side=2000):
    """A progressive JPEG that refines the same grey coefficient again and again."""

    def segment(marker, data):
        return b"\xff" + bytes([marker]) + struct.pack(">H", len(data) + 2) + data

    table = segment(0xDB, b"\0" + bytes([1] * 64))
    frame = segment(0xC2, struct.pack(">BHHB3B", 8, side, side, 1, 1, 0x11, 0))
    codes = segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\xe0")
    scan = segment(0xDA, bytes([1, 1, 0, 1, 63, 0])) + bytes(40)
    return b"\xff\xd8" + table + frame + codes + scan * count + b"\xff\xd9"


def test_a_jpeg_of_thousands_of_scans_is_refused_at_once():
    data = scans(5000)
    start = time.perf_counter()
    with pytest.raises(ImageError, match=f"more than {MAX_SCANS} scans"):
        read_image(data)
    assert time.perf_counter() - start < 1.0


def test_markers_inside_of_segments_are_no_scans(photo):
    """As in files with many thumbnails."""
    whole = saved(photo, "JPEG")
    thumbnails = b"\xff\xe5" + struct.pack(">H", 2 + 2 * 500) + b"\xff\xda" * 500
    after = b"\xff\xda" * 500
    data = whole[:2] + thumbnails + whole[2:] + after
    np.testing.assert_array_equal(read_image(data), read_image(whole))


def tiff(pages, order="<"):
    """Pages of grey by hand: (side, level, tags, pages below); the first two are in the chain."""
    data = bytearray((b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 0))

    def written(side, level, extra, below=()):
        children = [written(*page) for page in below]
        pixels = len(data)
        data.extend(bytes([level]) * side * side)
        tags = {256: side, 257: side, 258: 8, 259: 1, 262: 1, 273: pixels, 277: 1, 278: side}
        tags |= {279: side * side} | extra
        lists = len(data)
        if len(children) > 1:
            data.extend(struct.pack(f"{order}{len(children)}I", *children))
        if children:
            tags[330] = children[0] if len(children) == 1 else lists
        place = len(data)
        data.extend(struct.pack(order + "H", len(tags)))
        for tag, value in sorted(tags.items()):
            count = len(children) if tag == 330 else 1
            data.extend(struct.pack(order + "HHII", tag, 4, count, value))
        data.extend(bytes(4))
        return place

    places = [written(*page) for page in pages]
    struct.pack_into(order + "I", data, 4, places[0])
    for here, following in pairwise(places):
        (count,) = struct.unpack_from(order + "H", data, here)
        struct.pack_into(order + "I", data, here + 2 + 12 * count, following)
    return bytes(data)


PREVIEW, RAW = {254: 1}, {262: 32803}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("pages", "side"),
    [
        ([(32, 10, PREVIEW, [(96, 200, {})])], 96),
        ([(32, 10, PREVIEW, [(48, 99, PREVIEW), (96, 200, {}), (200, 5, {254: 4})])], 96),
        ([(32, 10, PREVIEW), (96, 200, {254: 0})], 96),
        ([(32, 10, {255: 2}), (96, 200, {255: 1})], 96),
        ([(32, 10, {}, [(96, 200, {})])], 96),
        ([(32, 200, {}), (96, 10, {})], 32),  # two pages of a scan
        ([(96, 200, {}), (32, 10, PREVIEW)], 96),
        ([(96, 200, {}, [(32, 10, PREVIEW)])], 96),
        ([(32, 200, PREVIEW)], 32),  # there is nothing else
    ],
)
def test_the_photo_of_a_tiff_and_not_its_preview(order, pages, side):
    read = read_image(tiff(pages, order))
    assert read.shape == (side, side, 3)
    assert (read == 200).all()


@pytest.mark.parametrize("preview", [PREVIEW, {}])
def test_a_raw_photo_is_not_replaced_by_its_preview(tmp_path, preview):
    path = tmp_path / "raw.dng"
    path.write_bytes(tiff([(32, 10, preview, [(96, 200, RAW), (64, 9, PREVIEW)])]))
    with pytest.raises(ImageError, match="only the preview can be read"):
        read_image(path)
    check_image(tmp_path / "raw.dng")  # by its header it is a TIFF


def test_the_preview_tells_how_the_photo_is_turned():
    data = tiff([(32, 10, PREVIEW | {274: 6}, [(96, 200, {})])])
    assert (read_image(data) == 200).all()
    half = bytearray(data)
    start = half.index(bytes([200]) * 96)
    half[start : start + 96 * 48] = bytes(96 * 48)  # upper half black: after turning, the right
    read = read_image(bytes(half))
    assert (read[:, 48:] == 0).all()
    assert (read[:, :48] == 200).all()


def test_pages_that_point_to_each_other_end():
    data = bytearray(tiff([(32, 200, {}, [(32, 10, PREVIEW)])]))
    first = struct.unpack_from("<I", data, 4)[0]
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<I", data, first + 2 + 12 * count, first)
    assert (read_image(bytes(data)) == 200).all()
