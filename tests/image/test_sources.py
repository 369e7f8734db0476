"""The same picture from every source, and what is refused before it is read."""

import io
import os
import tempfile
import threading
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from mlanet.errors import ImageError
from mlanet.image import check_image, read_image
from mlanet.image import sources as sources_module


@pytest.fixture
def picture():
    """40 x 60 pixels of smooth colours."""
    y, x = np.mgrid[:40, :60]
    return np.stack([4 * x, 6 * y, 255 - 2 * x - 3 * y], axis=-1).astype(np.uint8)


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(
        file, kind, **options
    )
    return file.getvalue()


def test_bytes_open_files_arrays_and_pillow_images_are_one_picture(tmp_path, picture):
    data = encoded(picture)
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    with path.open("rb") as buffered, path.open("rb", buffering=0) as raw:
        for source in (
            path,
            str(path),
            data,
            bytearray(data),
            memoryview(data),
            np.frombuffer(data, np.uint8),
            io.BytesIO(data),
            buffered,
            raw,
            Image.open(path),
            picture,
            memoryview(picture),
        ):
            read = read_image(source)
            np.testing.assert_array_equal(read, picture)
            assert read.flags.c_contiguous
            assert read.flags.writeable
            assert not np.shares_memory(read, picture)
        assert not buffered.closed


def test_a_file_is_read_from_where_it_stands(picture):
    file = io.BytesIO(b"a header of somebody's" + encoded(picture))
    file.seek(22)
    np.testing.assert_array_equal(read_image(file), picture)
    with pytest.raises(ImageError, match="is empty"):
        read_image(file)


def test_bgr_is_for_arrays_alone(tmp_path, picture):
    np.testing.assert_array_equal(read_image(picture[..., ::-1], bgr=True), picture)
    alpha = np.full((40, 60, 1), 255, np.uint8)
    bgra = np.concatenate([picture[..., ::-1], alpha], axis=2)
    np.testing.assert_array_equal(read_image(bgra, bgr=True), picture)
    np.testing.assert_array_equal(read_image(encoded(picture), bgr=True), picture)


def test_tensors_on_the_cpu(picture):
    torch = pytest.importorskip("torch")
    tensor = torch.from_numpy(picture.copy())
    np.testing.assert_array_equal(read_image(tensor), picture)
    with pytest.raises(ImageError, match="no array on the CPU"):
        read_image(torch.zeros(40, 60, 3, requires_grad=True))


@pytest.mark.parametrize("mode", ["1", "P", "L", "LA", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"])
def test_pillow_images_are_read_as_their_files(mode, picture):
    image = Image.fromarray(picture)
    if mode == "LAB":
        from PIL import ImageCms

        lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    else:
        image = image.convert(mode)
    before = image.tobytes()
    read = read_image(image)
    assert image.mode == mode
    assert image.tobytes() == before
    if mode not in ("1", "L", "LA", "P"):
        off = np.abs(read.astype(int) - picture)  # 8 bits of Lab leave few dark blues
        assert (off.mean() < 3) if mode == "LAB" else (off.max() <= 12)
    if mode != "HSV":  # no format holds it
        np.testing.assert_array_equal(read_image(encoded(image, "TIFF")), read)


def test_orientation_and_depth_of_pillow_images(picture):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = Image.open(io.BytesIO(encoded(np.rot90(picture, 1), exif=exif)))
    np.testing.assert_array_equal(read_image(turned), picture)
    assert read_image(turned, upright=False).shape == (60, 40, 3)
    deep = np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16)
    levels = np.rint(deep / 257.0)
    for image in (Image.fromarray(deep), Image.open(io.BytesIO(encoded(deep)))):
        assert np.abs(read_image(image)[..., 0] - levels).max() <= 1
    unit = Image.fromarray(np.full((20, 20), 0.5, np.float32))
    assert (read_image(unit) == 128).all()
    with pytest.raises(ImageError, match=r"\[0, 255\]"):
        read_image(Image.fromarray(np.full((20, 20), 70_000, np.int32)))


def test_12_bits_and_white_that_is_zero():
    def tiff(bits, photometric, values):
        """A grey TIFF by hand: the header, one page of ten tags, the samples."""
        tags = {256: 16, 257: 16, 258: bits, 259: 1, 262: photometric, 273: 200, 277: 1}
        tags |= {278: 16, 279: len(values)}
        page = len(tags).to_bytes(2, "little")
        for tag, value in tags.items():
            page += b"".join(
                n.to_bytes(size, "little") for n, size in ((tag, 2), (4, 2), (1, 4), (value, 4))
            )
        return (b"II*\0\x08\0\0\0" + page + bytes(4)).ljust(200, b"\0") + values

    twelve = bytes([0x80, 0x08, 0x00]) * 128  # 0x800 in each sample, the middle of the range
    assert abs(int(read_image(tiff(12, 1, twelve))[0, 0, 0]) - 128) <= 1
    light = np.full((16, 16), 40_000, "<u2").tobytes()
    assert abs(int(read_image(tiff(16, 1, light))[0, 0, 0]) - 156) <= 1
    assert abs(int(read_image(tiff(16, 0, light))[0, 0, 0]) - 99) <= 1


@pytest.mark.parametrize("kind", ["RGB", "RGBA"])
def test_16_bit_colour_keeps_its_high_bits(tmp_path, kind):
    import cv2

    channels = len(kind)
    values = np.linspace(0, 65535, 20 * 20 * channels).reshape(20, 20, channels).astype(np.uint16)
    values[..., 3:] = 65535
    order = [2, 1, 0, 3][:channels]
    for suffix in ("png", "tiff"):
        path = tmp_path / f"deep.{suffix}"
        cv2.imwrite(str(path), values[..., order])
        assert np.abs(read_image(path) - values[..., :3] / 257.0).max() <= 1


def test_what_is_no_source_is_named():
    for source in (None, 7, 1.5, {"a": 1}, object()):
        with pytest.raises(ImageError, match="a picture is a path, bytes"):
            read_image(source)
    with pytest.raises(ImageError, match="mode 'rb'"):
        read_image(io.StringIO("text"))
    with pytest.raises(ImageError, match=r"frame 3: .*known format"):
        read_image(b"no picture at all", name="frame 3")
    closed = io.BytesIO(b"")
    closed.close()
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(closed)
    with pytest.raises(ImageError, match="mlanet fetches nothing"):
        read_image("https://example.org/photo.jpg")


@pytest.mark.parametrize(
    ("start", "reason"),
    [
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "mlanet video takes films"),
        (b"\x1aE\xdf\xa3\x01\0\0\0", "film"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"<?xml version='1.0'?><svg xmlns=''>", "SVG"),
        (b"\xff\x0a" + bytes(20), "JPEG XL"),
        (b"8BPS\0\1", "Photoshop"),
        (bytes(64), "known format"),
    ],
)
def test_a_huge_file_of_another_kind_is_refused_from_its_first_bytes(tmp_path, start, reason):
    path = tmp_path / "clip.jpg"
    with path.open("wb") as file:
        file.write(start)
        file.truncate(3 * 1024**3)
    for check in (read_image, check_image, lambda p: read_image(p.open("rb"))):
        tracemalloc.start()
        with pytest.raises(ImageError, match=reason):
            check(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000


def test_too_many_bytes_are_not_read(tmp_path, picture, monkeypatch):
    path = tmp_path / "long.png"
    path.write_bytes(encoded(picture) + bytes(10_000))
    np.testing.assert_array_equal(read_image(path), picture)
    monkeypatch.setattr(sources_module, "MAX_FILE_BYTES", 8_000)
    for source in (path, path.open("rb")):
        with pytest.raises(ImageError, match="too large"):
            read_image(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX's")
def test_pipes_and_devices_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", "/dev/zero"):
        for check in (read_image, check_image):
            with pytest.raises(ImageError, match="pipe or a device"):
                check(path)


def test_a_closed_or_busy_standard_error_does_not_matter(capfd):
    """libtiff prints by itself what is wrong with LZW data; threads share the descriptor."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = bytearray(encoded(noise, "TIFF", compression="tiff_lzw"))
    data[300:900] = b"\xff" * 600

    def read():
        with pytest.raises(ImageError, match="damaged"):
            read_image(bytes(data))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"still here")
    assert capfd.readouterr().err == "still here"


def test_heic_with_and_without_its_extra(tmp_path, picture, monkeypatch):
    import sys

    phone = b"\x00\x00\x00\x18ftypheic\0\0\0\0mif1heic" + bytes(200)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"HEIC.*pip install '(mlanet|\.)\[heic\]'"):
        read_image(phone)
    monkeypatch.undo()
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(
        np.ascontiguousarray(np.rot90(np.kron(picture, np.ones((4, 4, 1), np.uint8))))
    )
    heif.from_pillow(stored).save(file, quality=95, exif=exif.tobytes())
    read = read_image(file.getvalue())
    assert read.shape == (160, 240, 3)
    assert np.abs(read[2::4, 2::4].astype(int) - picture).mean() < 4
    assert "HEIF" not in Image.OPEN
    with pytest.raises(ImageError, match="damaged"):
        read_image(file.getvalue()[:300])


def test_avif(picture):
    from PIL import features

    large = np.kron(picture, np.ones((4, 4, 1), np.uint8))
    if not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    read = read_image(encoded(large, "AVIF", quality=95))
    assert np.abs(read[2::4, 2::4].astype(int) - picture).mean() < 4


def test_temporary_files_have_no_name_to_speak_of(picture):
    with tempfile.TemporaryFile() as file:
        file.write(encoded(picture))
        file.seek(0)
        np.testing.assert_array_equal(read_image(file), picture)
