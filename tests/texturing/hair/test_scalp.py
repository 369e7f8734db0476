"""Hair on a scalp that the test paints, in CIELAB."""

import numpy as np
import pytest

from mlanet.texturing.hair.scalp import hair_of_scalp
from mlanet.texturing.surface_planes import SurfacePlanes

SIZE = 64
SKIN = (65.0, 15.0, 17.0)
GREY, BROWN, BLACK_HAIR = (58.0, 2.0, 3.0), (30.0, 8.0, 12.0), (10.0, 1.0, 1.0)
SHADOW, SHINE, BEHIND = (48.0, 11.5, 13.0), (88.0, 5.5, 6.0), (60.0, -30.0, 20.0)


def surface():
    """A scalp: its top above row 32, sides below."""
    ones, none = np.ones((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.float32)
    crown = none.copy()
    crown[:32] = 1.0
    colors = np.zeros((SIZE, SIZE, 3), np.float32)
    names = ("cosine", "skin", "hairy", "may_be_hairy", "lit")
    rest = ("trusted", "neck", "sharp", "back", "teeth", "tongue", "lips", "face")
    return SurfacePlanes(
        colors, colors, crown=crown, **dict.fromkeys(names, ones), **dict.fromkeys(rest, none)
    )


def hair(top, sides, noise=2.5, of_skin=SKIN, beside=None):
    """Of the left half; the right one is not seen. Some of the top may be beside the face."""
    rng = np.random.default_rng(0)
    found = np.empty((SIZE, SIZE, 3), np.float32)
    found[:32], found[32:] = top, sides
    if beside is not None:
        found[12:20, 12:24] = beside
    found[..., 0] += rng.normal(0.0, noise, (SIZE, SIZE))
    skin = np.broadcast_to(np.array(of_skin, np.float32), found.shape)
    from_skin = np.linalg.norm((found - skin) / (9.0, 4.0, 4.0), axis=-1).astype(np.float32)
    share = np.zeros((SIZE, SIZE), np.float32)
    share[:, :32] = 1.0
    return hair_of_scalp(found, skin, from_skin, share, surface())


@pytest.mark.parametrize("color", [GREY, BROWN, BLACK_HAIR])
def test_hair_covers_what_is_not_seen_in_its_own_colour(color):
    found = hair(color, color)
    assert found.covered[:, 40:].min() > 0.9
    assert np.abs(found.color - color).max() < 3.0


@pytest.mark.parametrize("color", [SKIN, SHADOW, SHINE])
def test_skin_in_its_light_is_bald(color):
    assert hair(color, SKIN, noise=0.5).covered.max() == 0.0


def test_who_is_bald_on_top_has_hair_at_the_sides_alone():
    found = hair(SKIN, BROWN)
    assert found.covered[:20, 60:].max() < 0.1
    assert found.covered[44:, 60:].min() > 0.9


def test_nobody_is_bald_at_the_sides_alone():
    assert hair(BROWN, SKIN).covered[44:, 60:].min() > 0.9


def test_what_is_no_hair_at_hairy_sides_is_astray():
    found = hair(GREY, GREY)
    assert found.astray.max() < 0.2
    for strange in (SKIN, BEHIND):
        sides = np.tile(np.float32(GREY), (32, SIZE, 1))
        sides[8:16, 20:32] = strange
        astray = hair(GREY, sides).astray
        assert astray[42:46, 22:30].min() > 0.8
        assert astray[52:].max() < 0.2


def test_hair_through_which_skin_shines_does_not_colour_the_rest():
    mixed = np.tile(np.float32(GREY), (32, SIZE, 1))
    mixed[:, ::3] = (62.0, 9.0, 10.0)
    assert np.abs(hair(mixed, mixed).color - GREY).max() < 3.0


@pytest.mark.parametrize(("noise", "grown"), [(12.0, True), (1.0, False)])
def test_without_colours_strands_tell_hair(noise, grown):
    grey = (SKIN[0], 0.3, 0.5)
    covered = hair(grey, grey, noise, of_skin=grey).covered[:, 40:]
    assert (covered.min() > 0.9) if grown else (covered.max() == 0.0)


def test_what_is_neither_hair_nor_skin_is_astray_on_the_top_too():
    astray = hair(GREY, GREY, beside=(30.0, 40.0, -45.0)).astray
    assert astray[12:20, 12:24].min() > 0.8
    assert astray[:8].max() < 0.2
