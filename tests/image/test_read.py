"""Every kind of picture file, good and bad, made on the fly."""

import io
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageCms

from mlanet.errors import ImageError
from mlanet.image import MAX_PIXELS, read_image


@pytest.fixture
def scene():
    """24 x 36 pixels: red upper left, green upper right, blue lower left, grey lower right."""
    pixels = np.empty((24, 36, 3), dtype=np.uint8)
    pixels[:12, :18], pixels[:12, 18:] = (220, 30, 40), (20, 200, 60)
    pixels[12:, :18], pixels[12:, 18:] = (30, 50, 210), (128, 128, 128)
    return pixels


def save(path, pixels, **options):
    Image.fromarray(pixels).save(path, **options)
    return path


def png_with_size(width, height):
    """A valid header that claims any size, and hardly any data."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "ppm"])
def test_lossless_formats_are_read_exactly(tmp_path, scene, suffix):
    path = save(
        tmp_path / f"scene.{suffix}", scene, **({"lossless": True} if suffix == "webp" else {})
    )
    read = read_image(path)
    np.testing.assert_array_equal(read, scene)
    assert read.dtype == np.uint8
    assert read.flags.c_contiguous


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_exif_orientations_come_out_upright(tmp_path, scene, orientation, suffix):
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: np.rot90(scene, 1),  # to be shown turned clockwise: stored turned the other way
        7: np.rot90(scene.transpose(1, 0, 2), 2),
        8: np.rot90(scene, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 98, "subsampling": 0}, "webp": {"lossless": True}}
    path = tmp_path / f"turned.{suffix}"
    save(path, np.ascontiguousarray(stored), exif=exif, **options.get(suffix, {}))
    read = read_image(path)
    assert read.shape == scene.shape
    assert np.abs(read.astype(int) - scene).mean() < 3


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_meaningless_orientations_are_ignored(tmp_path, scene, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / "odd.png", scene, exif=exif)
    np.testing.assert_array_equal(read_image(path), scene)


def test_a_damaged_exif_block_hides_no_pixel(tmp_path, scene):
    path = save(tmp_path / "odd.png", scene, exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xffgarbage")
    np.testing.assert_array_equal(read_image(path), scene)


def test_cmyk_jpeg(tmp_path, scene):
    path = tmp_path / "print.jpg"
    Image.fromarray(scene).convert("CMYK").save(path, quality=98, subsampling=0)
    read = read_image(path)
    assert np.abs(read[3:9, 3:15].astype(int) - (220, 30, 40)).max() < 12
    assert np.abs(read[15:21, 21:33].astype(int) - 128).max() < 12


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_is_scaled_by_the_types_range(tmp_path, suffix):
    values = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    path = save(tmp_path / f"deep.{suffix}", values)
    read = read_image(path)
    np.testing.assert_array_equal(read[..., 0], read[..., 2])
    assert np.abs(read[..., 0] - values / 257.0).max() <= 0.5
    assert (read.min(), read.max()) == (0, 255)


def test_16_bit_colour(tmp_path):
    import cv2

    values = np.zeros((20, 20, 3), dtype=np.uint16)
    values[..., 2] = 40_000  # red; OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "deep.png"), values)
    read = read_image(tmp_path / "deep.png")
    assert abs(int(read[5, 5, 0]) - 40_000 / 257) <= 1
    assert read[5, 5, 1:].tolist() == [0, 0]


def test_palette_grey_and_bilevel(tmp_path, scene):
    Image.fromarray(scene).quantize(8).save(tmp_path / "palette.png")
    assert np.abs(read_image(tmp_path / "palette.png").astype(int) - scene).max() <= 4
    grey = np.tile(np.arange(32, dtype=np.uint8) * 8, (20, 1))
    np.testing.assert_array_equal(read_image(save(tmp_path / "grey.png", grey))[..., 1], grey)
    Image.fromarray(grey).convert("1").save(tmp_path / "fax.tiff")
    assert set(np.unique(read_image(tmp_path / "fax.tiff"))) == {0, 255}


def test_transparency_is_laid_over_white(tmp_path, scene):
    alpha = np.full((24, 36, 1), 255, dtype=np.uint8)
    alpha[:12] = 0
    alpha[12:, :18] = 128
    read = read_image(save(tmp_path / "cutout.png", np.concatenate([scene, alpha], axis=2)))
    assert (read[:12] == 255).all()
    np.testing.assert_array_equal(read[12:, 18:], scene[12:, 18:])
    expected = (scene[15, 3].astype(float) * 128 + 255 * 127) / 255
    assert np.abs(read[15, 3] - expected).max() <= 0.5


def test_a_transparent_palette_entry_is_white(tmp_path, scene):
    picture = Image.fromarray(scene).quantize(4)
    picture.save(tmp_path / "logo.gif", transparency=picture.getpixel((2, 2)))
    read = read_image(tmp_path / "logo.gif")
    assert (read[:12, :18] == 255).all()
    assert np.abs(read[:12, 18:].astype(int) - (20, 200, 60)).max() <= 4


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tiff"])
def test_the_first_frame_of_an_animation(tmp_path, scene, suffix):
    frames = [Image.fromarray(scene), Image.fromarray(255 - scene)]
    path = tmp_path / f"film.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50, **options)
    assert np.abs(read_image(path).astype(int) - scene).max() <= 4


def swapped_profile():
    """sRGB's profile with the tags of red and blue exchanged."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = content.index(b"rXYZ"), content.index(b"bXYZ")
    content[red : red + 4], content[blue : blue + 4] = b"bXYZ", b"rXYZ"
    name = content.index("sRGB".encode("utf-16-be"))
    content[name : name + 8] = "test".encode("utf-16-be")
    return bytes(content)


def test_an_embedded_profile_is_converted_to_srgb(tmp_path, scene):
    path = save(tmp_path / "wide.png", scene, icc_profile=swapped_profile())
    assert np.abs(read_image(path).astype(int) - scene[..., ::-1]).max() <= 3


def test_a_damaged_or_unfit_profile_is_ignored(tmp_path, scene):
    path = save(tmp_path / "odd.png", scene, icc_profile=b"no profile")
    np.testing.assert_array_equal(read_image(path), scene)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    path = save(tmp_path / "lab.png", scene, icc_profile=lab)
    np.testing.assert_array_equal(read_image(path), scene)


def test_bad_files_give_one_line_that_begins_with_the_path(tmp_path, scene):
    save(tmp_path / "whole.jpg", np.tile(scene, (20, 20, 1)))
    whole = (tmp_path / "whole.jpg").read_bytes()
    contents = {
        "truncated.jpg": (whole[: whole.index(b"\xff\xda") + 40], "damaged"),
        "header only.jpg": (whole[:30], "picture|damaged"),
        "damaged.png": (png_with_size(64, 64), "damaged"),
        "empty.jpg": (b"", "empty"),
        "text.jpg": (b"This is a letter and no picture.\n" * 50, "known format"),
        "phone.heic": (b"\x00\x00\x00\x18ftypheic" + bytes(200), "HEIC|damaged"),
        "bomb.png": (png_with_size(20_000, 20_000), "megapixels"),
        "large.png": (png_with_size(11_000, 11_000), "megapixels"),
        "long.png": (png_with_size(40_000, 100), "32000 on a side"),
    }
    for name, (content, reason) in contents.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ImageError, match=reason) as caught:
            read_image(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: "), message
        assert "\n" not in message


def test_what_other_programs_would_open_is_refused_unopened(tmp_path, scene, monkeypatch):
    """Pillow hands EPS to Ghostscript."""
    path = save(tmp_path / "scene.eps", scene).rename(tmp_path / "scene.jpg")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("was started"))
    with pytest.raises(ImageError, match="known format"):
        read_image(path)


def test_missing_folder_and_nonsense_paths(tmp_path):
    with pytest.raises(ImageError, match="no such file"):
        read_image(tmp_path / "nobody.jpg")
    with pytest.raises(ImageError, match="folder"):
        read_image(tmp_path)
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(str(tmp_path / "a\0b.jpg"))


@pytest.mark.parametrize("size", [(1, 1), (15, 400), (400, 15)])
def test_tiny_pictures_are_refused(tmp_path, size):
    path = save(tmp_path / "dot.png", np.zeros((*size, 3), dtype=np.uint8))
    with pytest.raises(ImageError, match="too few"):
        read_image(path)


def test_a_bomb_is_refused_without_taking_memory(tmp_path):
    import tracemalloc

    path = tmp_path / "bomb.png"
    for side in (11_000, 13_000, 20_000):  # below and above both limits of Pillow's own
        assert side * side > MAX_PIXELS
        path.write_bytes(png_with_size(side, side))
        tracemalloc.start()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(ImageError, match="megapixels"):
                read_image(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000


def test_reading_leaves_pillow_as_it_was(tmp_path, scene):
    before = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    read_image(save(tmp_path / "scene.png", scene))
    assert (Image.MAX_IMAGE_PIXELS, list(warnings.filters)) == before


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.full((16, 20), 7, np.uint8), (7, 7, 7)),
        (np.full((16, 20, 1), 0.5), (128, 128, 128)),
        (np.full((16, 20, 3), 1.0, np.float32), (255, 255, 255)),
        (np.full((16, 20, 3), 65535, np.uint16), (255, 255, 255)),
        (np.full((16, 20, 4), 0, np.uint8), (255, 255, 255)),
        (np.full((16, 20, 2), 1.0), (255, 255, 255)),
        (np.full((16, 20, 3), 0.5, np.float16), (128, 128, 128)),
        (np.full((16, 20, 3), 200, np.int64), (200, 200, 200)),
        (np.full((16, 20), 200, np.uint32), (200, 200, 200)),
        (np.full((16, 20), True), (255, 255, 255)),
        (np.full((20, 16), 7, np.uint8).T, (7, 7, 7)),
    ],
)
def test_arrays_of_users(array, expected):
    image = read_image(array)
    assert image.shape == (16, 20, 3)
    assert image.dtype == np.uint8
    assert tuple(image[3, 4]) == expected


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((16, 20, 3), np.nan), "not finite"),
        (np.full((16, 20, 3), np.inf), "not finite"),
        (np.full((16, 20, 3), 200.0), r"in \[0, 1\]"),
        (np.full((16, 20, 3), -0.1), r"in \[0, 1\]"),
        (np.full((16, 20, 3), 256, np.int64), "256.*int64"),
        (np.full((16, 20, 3), -1, np.int8), "-1"),
        (np.zeros((16, 20, 3), np.complex64), "complex64"),
        (np.zeros((16, 20, 3), object), "object"),
        (np.zeros((3, 160, 200), np.uint8), "channels come last"),
        (np.zeros((16, 20, 5), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((3, 16), np.uint8), "too few"),
        (np.zeros((2, 16, 20, 3), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((0, 20, 3), np.uint8), "too few"),
    ],
)
def test_unusable_arrays(array, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        read_image(array, name="frame 7")
    assert str(caught.value).startswith("frame 7: ")


def test_reading_and_as_rgb_agree_on_transparency(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 20, 4), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    (tmp_path / "cutout.png").write_bytes(buffer.getvalue())
    np.testing.assert_array_equal(read_image(tmp_path / "cutout.png"), read_image(pixels))
