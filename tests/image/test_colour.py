"""Colours against formulas that are written out here: the profiles are only data."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from mlanet.image import read_image

SRGB = ((0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3 = ((0.3127, 0.3290), (0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
BT2020 = ((0.3127, 0.3290), (0.708, 0.292), (0.170, 0.797), (0.131, 0.046))
WHITE = struct.pack(">3i", 63190, 65536, 54061)  # D50
LINEAR, GAMMA_18, SRGB_CURVE = (1.0,), (1.8,), None


@pytest.fixture
def shown():
    """sRGB colours that all gamuts here hold: 32 x 48 pixels, light and dark, not too pure."""
    y, x = np.mgrid[:32, :48]
    return np.stack([40 + 4 * x, 60 + 5 * y, 230 - 3 * x - y], axis=-1).astype(np.uint8)


def xyz_matrix(chromaticities):
    columns = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in chromaticities]).T
    return columns[:, 1:] * np.linalg.solve(columns[:, 1:], columns[:, 0])


def light(levels):
    v = levels / 255.0
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def stored(shown, chromaticities, curve):
    """sRGB levels as levels of another space."""
    linear = light(shown.astype(float))
    if chromaticities is not None:
        back = np.linalg.inv(xyz_matrix(chromaticities)) @ xyz_matrix(SRGB)
        linear = np.clip(linear @ back.T, 0, 1)
    if curve is None:
        v = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    else:
        v = linear ** (1 / curve[0])
    return np.rint(255 * v).astype(np.uint8)


def curve_tag(curve):
    if curve is None:
        levels = np.rint(65535 * light(np.arange(256.0))).astype(">u2")
        return b"curv" + struct.pack(">II", 0, 256) + levels.tobytes()
    return b"curv" + struct.pack(">IIH", 0, 1, round(curve[0] * 256))


def profile(chromaticities, curve, space=b"RGB ", name="sRGB"):
    """A version 2 profile by hand, whose description lies."""
    label = name.encode() + b"\0"
    tags = {b"desc": b"desc" + struct.pack(">II", 0, len(label)) + label + bytes(78)}
    if space == b"GRAY":
        tags[b"kTRC"] = curve_tag(curve)
    else:
        bradford = np.array(
            [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
        )
        x, y = chromaticities[0]
        source = bradford @ (x / y, 1.0, (1 - x - y) / y)
        cone = np.diag((bradford @ (0.9642, 1.0, 0.8249)) / source)
        columns = np.linalg.inv(bradford) @ cone @ bradford @ xyz_matrix(chromaticities)
        for letter, column in zip("rgb", columns.T, strict=True):
            values = struct.pack(">3i", *(round(65536 * value) for value in column))
            tags[f"{letter}XYZ".encode()] = b"XYZ \0\0\0\0" + values
            tags[f"{letter}TRC".encode()] = curve_tag(curve)
    tags[b"wtpt"] = b"XYZ \0\0\0\0" + WHITE
    return assembled(tags, b"mntr", space, b"XYZ ")


def assembled(tags, *kinds):
    """A version 2 profile of these tags: class, space of the device, space between."""
    table, data = struct.pack(">I", len(tags)), b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    size = 128 + len(table) + len(data)
    head = struct.pack(">I4sI4s4s4s", size, b"test", 0x02100000, *kinds)
    head += bytes(12) + b"acsp" + bytes(28) + WHITE
    return head.ljust(128, b"\0") + table + data


def saved(picture, kind="PNG", **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def with_chunks(png, chunks):
    """The file with chunks before its pixels."""
    place = png.index(b"IDAT") - 4
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    return png[:place] + made + png[place:]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA"])
@pytest.mark.parametrize(
    ("chromaticities", "curve"), [(P3, SRGB_CURVE), (SRGB, LINEAR), (BT2020, GAMMA_18)]
)
def test_profiles_are_applied_in_every_mode(shown, mode, chromaticities, curve):
    grey = mode in ("L", "LA")
    if grey:
        shown = np.repeat(shown[:, :, :1], 3, axis=2)
        picture = Image.fromarray(stored(shown, None, curve)[:, :, 0])
        icc = profile(None, curve, b"GRAY")
    else:
        picture = Image.fromarray(stored(shown, chromaticities, curve))
        icc = profile(chromaticities, curve)
    if mode == "P":
        flat = np.asarray(picture.quantize(64).convert("RGB"))
        palette = Image.fromarray(flat).quantize(64)
        np.testing.assert_array_equal(np.asarray(palette.convert("RGB")), flat)
        whole = read_image(saved(Image.fromarray(flat), icc_profile=icc))
        np.testing.assert_array_equal(read_image(saved(palette, icc_profile=icc)), whole)
        return
    if mode in ("RGBA", "LA"):
        picture.putalpha(255)
    for source in (saved(picture, icc_profile=icc), saved(picture, "TIFF", icc_profile=icc)):
        off = np.abs(read_image(source).astype(int) - shown)
        assert off.mean() < 1.0
        assert off.max() <= 4  # 8 bits of linear light are coarse
    picture.info["icc_profile"] = icc
    np.testing.assert_array_equal(read_image(picture), read_image(saved(picture, icc_profile=icc)))


def test_transparency_is_mixed_in_srgb(shown):
    """White shines through; the profile is applied to the colours alone."""
    picture = Image.fromarray(stored(shown, P3, SRGB_CURVE))
    picture.putalpha(128)
    read = read_image(saved(picture, icc_profile=profile(P3, SRGB_CURVE)))
    mixed = (shown * 128.0 + 255.0 * 127.0) / 255.0
    assert np.abs(read - mixed).max() <= 2


def test_16_bit_grey_through_its_profile():
    levels = np.tile(np.arange(16, 240, 7), (20, 1))
    linear = np.rint(65535 * light(levels.astype(float))).astype(np.uint16)
    read = read_image(saved(Image.fromarray(linear), icc_profile=profile(None, LINEAR, b"GRAY")))
    assert np.abs(read[:, :, 0].astype(int) - levels).mean() < 2


def test_srgb_by_any_name_changes_no_pixel():
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    shipped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (shipped, profile(SRGB, SRGB_CURVE, name="Adobe RGB (1998)")):
        picture = Image.fromarray(noise)
        np.testing.assert_array_equal(read_image(saved(picture, icc_profile=icc)), noise)


def test_a_grey_photo_that_kept_the_profile_of_its_colours():
    levels = np.tile(np.arange(20, 240, 5, dtype=np.uint8), (20, 1))
    linear = np.rint(255 * light(levels.astype(float))).astype(np.uint8)
    read = read_image(saved(Image.fromarray(linear), icc_profile=profile(SRGB, LINEAR)))
    assert np.abs(read[:, :, 0].astype(int) - levels).mean() < 2


@pytest.mark.parametrize("icc", [b"", b"no profile", profile(None, LINEAR, b"GRAY"), bytes(4000)])
def test_a_profile_that_does_not_fit_is_left_out(shown, icc):
    for picture in (Image.fromarray(shown), Image.fromarray(shown).convert("CMYK")):
        data = saved(picture, "TIFF", icc_profile=icc)
        np.testing.assert_array_equal(read_image(data), np.asarray(picture.convert("RGB")))


def test_cmyk_through_a_profile_of_inks(shown):
    """Of four inks of which only black is seen: CIE lightness is what it leaves of the paper."""
    identity = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    ramp = bytes(range(256))
    nodes = bytes([255, 128, 128, 0, 128, 128] * 8)  # Lab of paper, of black
    table = b"mft1\0\0\0\0\x04\x03\x02\0" + identity + 4 * ramp + nodes + 3 * ramp
    icc = assembled({b"A2B0": table, b"wtpt": b"XYZ \0\0\0\0" + WHITE}, b"prtr", b"CMYK", b"Lab ")
    black = np.tile(np.arange(48, dtype=np.uint8) * 5, (32, 1))
    picture = Image.fromarray(np.dstack([shown, black]), "CMYK")
    plain = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(read_image(saved(picture, "TIFF")), plain)
    lightness = 100 * (1 - black / 255.0)
    y = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    expected = 255 * np.where(y <= 0.0031308, 12.92 * y, 1.055 * y ** (1 / 2.4) - 0.055)
    read = read_image(saved(picture, "TIFF", icc_profile=icc))
    assert np.abs(read - expected[:, :, None]).max() <= 2


def chrm(chromaticities):
    return struct.pack(">8I", *(round(100_000 * v) for xy in chromaticities for v in xy))


def gama(gamma):
    return struct.pack(">I", round(100_000 / gamma))


@pytest.mark.parametrize(
    ("chunks", "chromaticities", "curve"),
    [
        ({b"gAMA": gama(1.0)}, SRGB, LINEAR),
        ({b"gAMA": gama(1.8), b"cHRM": chrm(P3)}, P3, GAMMA_18),
        ({b"gAMA": gama(2.2), b"cHRM": chrm(P3)}, P3, SRGB_CURVE),
        ({b"cICP": bytes([12, 13, 0, 1])}, P3, SRGB_CURVE),
        ({b"cICP": bytes([9, 8, 0, 1]), b"gAMA": gama(2.2)}, BT2020, LINEAR),
        ({b"gAMA": gama(2.2), b"cHRM": chrm(SRGB)}, SRGB, SRGB_CURVE),
        ({b"sRGB": b"\0", b"gAMA": gama(1.0)}, SRGB, SRGB_CURVE),
        ({b"cHRM": chrm(P3)}, SRGB, SRGB_CURVE),
        ({b"cICP": bytes([9, 16, 0, 1])}, SRGB, SRGB_CURVE),  # HDR is left alone
        ({b"cICP": bytes([12, 13, 1, 1])}, SRGB, SRGB_CURVE),  # a matrix, which PNG forbids
        ({b"gAMA": bytes(4)}, SRGB, SRGB_CURVE),
        ({b"gAMA": gama(2.2), b"cHRM": bytes(32)}, SRGB, SRGB_CURVE),
    ],
)
def test_what_png_says_of_its_colours(shown, chunks, chromaticities, curve):
    plain = saved(Image.fromarray(stored(shown, chromaticities, curve)))
    off = np.abs(read_image(with_chunks(plain, chunks)).astype(int) - shown)
    assert off.max() <= (0 if (chromaticities, curve) == (SRGB, SRGB_CURVE) else 4)
    assert off.mean() < 1.0


def test_large_pictures_are_converted_in_strips(shown):
    wide = np.tile(shown, (20, 30, 1))
    icc = profile(P3, SRGB_CURVE)
    whole = read_image(saved(Image.fromarray(stored(wide, P3, SRGB_CURVE)), icc_profile=icc))
    part = read_image(saved(Image.fromarray(stored(shown, P3, SRGB_CURVE)), icc_profile=icc))
    np.testing.assert_array_equal(whole, np.tile(part, (20, 30, 1)))
