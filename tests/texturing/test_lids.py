import numpy as np

from mlanet.texturing.lids import LidPlanes, finish_lids

SIZE = 160
SKIN = np.array([200, 150, 120], np.uint8)


def planes(lashes=0.0):
    """A round lid with skin around it, in a part of the texture."""
    y, x = np.mgrid[:100, :100] - 49.5
    distance = np.hypot(x, y).astype(np.float32)
    lid = np.clip((30.0 - distance) / 6.0, 0.0, 1.0)
    dark = np.full_like(lid, 0.0)
    dark[45:55] = lashes * lid[45:55]
    around = (1.0 - lid) * (distance < 45.0)
    white = np.ones((100, 100, 3), np.float32)
    return LidPlanes(slice(30, 130), slice(20, 120), lid, around, white, dark)


def photo():
    """Skin with a black line, as of lashes, over the lid."""
    image = np.tile(SKIN, (SIZE, SIZE, 1))
    image[70:76, 45:95] = 10
    return image


def test_lashes_of_open_eyes_leave_the_lids():
    image = photo()
    finish_lids(image, np.ones((SIZE, SIZE), np.float32), planes(), 1.0)
    assert np.abs(image[78, 70].astype(int) - SKIN).max() <= 2
    assert np.abs(image[73, 70].astype(int) - SKIN).max() <= 40
    assert np.array_equal(image[:30], photo()[:30])


def test_unseen_lids_take_the_colour_around_them():
    image = photo()
    hidden = np.ones((SIZE, SIZE), np.float32)
    hidden[60:100, 50:90] = 0.0
    image[60:100, 50:90] = 90
    finish_lids(image, hidden, planes(), 1.0)
    assert np.abs(image[80, 70].astype(int) - SKIN).max() <= 3


def test_what_a_blink_unfolds_is_no_patch():
    """Lids darker than the skin around them go on where the photo does not show them."""
    y, x = np.mgrid[:SIZE, :SIZE]
    distance = np.hypot(x - 69.5, y - 79.5)
    image = np.tile(SKIN, (SIZE, SIZE, 1))
    image[distance < 26.0] = SKIN - np.array([24, 20, 18], np.uint8)
    seen = np.ones((SIZE, SIZE), np.float32)
    seen[distance < 14.0], image[distance < 14.0] = 0.0, 90
    finish_lids(image, seen, planes(), 1.0)
    light = image[80, 50:90].mean(axis=-1)
    assert np.abs(np.diff(light)).max() <= 5.0
    assert light[20] > light[2] + 4.0  # in the middle it is the skin's


def test_closed_eyes_and_eyes_without_skin_stay_as_they_are():
    for share, around in ((0.0, 1.0), (1.0, 0.0)):
        image, eye = photo(), planes(lashes=1.0)
        eye.around[...] *= around
        finish_lids(image, np.ones((SIZE, SIZE), np.float32), eye, share)
        assert np.array_equal(image, photo())


def test_what_closed_eyes_do_not_show_is_mended():
    image, seen = photo(), np.ones((SIZE, SIZE), np.float32)
    seen[78:90, 60:80], image[78:90, 60:80] = 0.0, 90
    finish_lids(image, seen, planes(), 0.0)
    assert np.abs(image[82, 70].astype(int) - SKIN).max() <= 3
    assert np.array_equal(image[70:76], photo()[70:76])


def test_lashes_are_dark():
    image = photo()
    finish_lids(image, np.ones((SIZE, SIZE), np.float32), planes(lashes=1.0), 1.0)
    assert image[80, 70].max() < 0.35 * SKIN.max()
    assert np.abs(image[92, 70].astype(int) - SKIN).max() <= 3
