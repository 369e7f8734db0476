import numpy as np

from mlanet.geometry import AMBIENT_WHITE, shading
from mlanet.texturing.color_statistics import deviations
from mlanet.texturing.completion import complete, to_lab
from mlanet.texturing.light_fit import linear_shading
from mlanet.texturing.surface_planes import SurfacePlanes

SIZE = 64
SKIN, HAIR, COAT = (200, 150, 120), (60, 40, 30), (40, 60, 160)


def surface(**planes):
    """A flat surface that faces the viewer: skin below row 16, where hair is usual above."""
    ones, none = np.ones((SIZE, SIZE), np.float32), np.zeros((SIZE, SIZE), np.float32)
    normal = np.zeros((SIZE, SIZE, 3), np.float32)
    normal[..., 2] = 1.0
    hairy = none.copy()
    hairy[:16] = 1.0
    trusted = 1.0 - hairy
    known = {"skin": ones, "trusted": trusted, "hairy": hairy, "may_be_hairy": hairy}
    known |= {"lit": ones, "cosine": ones}
    known |= dict.fromkeys(("neck", "sharp", "back", "teeth", "tongue", "lips"), none)
    known |= {"crown": hairy, "face": none}
    albedo = np.full((SIZE, SIZE, 3), 0.6, np.float32)
    return SurfacePlanes(albedo, normal, **(known | planes))


def painted(top, below=SKIN):
    photo = np.empty((SIZE, SIZE, 3), np.uint8)
    photo[:16], photo[16:] = top, below
    return photo


def whole(photo, seen, planes, *, symmetric=False):
    weight = seen.astype(np.uint8) * 255
    return complete(photo, weight, weight, planes, symmetric=symmetric)


def completed(photo, seen, planes, *, symmetric=False):
    """The fields, their first three the skin with the hair over it."""
    fields = whole(photo, seen, planes, symmetric=symmetric).fields.copy()
    fields[..., :3] += fields[..., 5:6] * (fields[..., 6:] - fields[..., :3])
    return fields


def apart(first, second):
    pair = np.array([[first, second]], dtype=np.float32) / 255.0
    return float(np.linalg.norm(np.subtract(*to_lab(pair)[0])))


def left_half():
    seen = np.zeros((SIZE, SIZE), bool)
    seen[:, : SIZE // 2] = True
    return seen


def test_hidden_scalp_takes_the_colour_of_the_hair_and_hidden_skin_that_of_the_skin():
    fields = completed(painted(HAIR), left_half(), surface())
    assert apart(fields[4, 60, :3], HAIR) < 6.0
    assert apart(fields[50, 60, :3], SKIN) < 3.0


def test_who_is_bald_stays_so():
    fields = completed(painted(SKIN), left_half(), surface())
    assert apart(fields[4, 60, :3], SKIN) < 3.0


def test_a_shining_bald_scalp_has_no_white_hair():
    photo = painted(SKIN)
    photo[4:8] = (250, 235, 225)
    assert apart(completed(photo, left_half(), surface())[4, 60, :3], SKIN) < 12.0
    white = completed(painted((240, 235, 230)), left_half(), surface())
    assert apart(white[4, 60, :3], (240, 235, 230)) < 8.0


def test_hidden_skin_in_the_shade_of_the_head_is_darker():
    shaded = np.ones((SIZE, SIZE), np.float32)
    shaded[:, 56:] = 0.7
    fields = completed(painted(HAIR), left_half(), surface(lit=shaded))
    skin, dark = (to_lab(fields[None, 50, k : k + 1, :3] / 255.0)[0, 0, 0] for k in (50, 62))
    assert 8.0 < skin - dark < 25.0


def test_skin_in_the_shadow_of_one_side_is_no_foreign_thing():
    """What is usual of skin changes over the face: the same colour is foreign on a bright side."""
    photo = painted(HAIR)
    photo[16:] = (np.linspace(1.0, 0.5, SIZE)[None, :, None] * SKIN).astype(np.uint8)
    trusted = surface().trusted.copy()
    trusted[:, :8], trusted[:, 56:] = 0.0, 0.0
    everything = np.ones((SIZE, SIZE), bool)
    assert completed(photo, everything, surface(trusted=trusted))[40, 60, 4] > 0.9
    photo[16:, :8] = photo[40, 63]
    assert completed(photo, everything, surface(trusted=trusted))[40, 3, 4] < 0.3


def test_what_lies_behind_an_outline_is_not_taken_for_skin_that_is_seen_at_an_angle():
    photo = painted(HAIR)
    steep = surface().cosine.copy()
    steep[:, 48:] = 0.16
    everything = np.ones((SIZE, SIZE), bool)
    assert completed(photo, everything, surface(cosine=steep))[40, 60, 4] > 0.9
    photo[:, 48:] = COAT
    assert completed(photo, everything, surface(cosine=steep))[40, 60, 4] < 0.1
    assert completed(photo, everything, surface())[40, 60, 4] > 0.9


def test_a_scalp_that_is_not_seen_is_skin():
    seen = left_half()
    seen[:24] = False
    fields = completed(painted(HAIR), seen, surface())
    assert apart(fields[4, 60, :3], SKIN) < 3.0


def test_clothes_are_replaced_where_the_surface_is_not_trusted():
    photo = painted(HAIR)
    photo[48:] = COAT
    low = np.zeros((SIZE, SIZE), np.float32)
    low[40:] = 1.0
    everything = np.ones((SIZE, SIZE), bool)
    trusted = surface().trusted - low
    fields = completed(photo, everything, surface(trusted=trusted, neck=low))
    assert fields[56, 32, 4] < 0.05
    assert fields[42, 32, 4] > 0.9
    assert apart(fields[56, 32, :3], SKIN) < 6.0
    assert completed(photo, everything, surface())[56, 32, 4] > 0.9


def test_the_other_side_lends_its_detail():
    photo = painted(HAIR)
    photo[40, 10] = 0
    fields = completed(photo, left_half(), surface(), symmetric=True)
    assert fields[40, SIZE - 1 - 10, 3] > 0.99
    rest = fields[40, SIZE - 1 - 10, :3] + photo[40, 10]
    assert apart(rest, (0, 0, 0)) < 6.0


def test_the_other_side_is_mixed_in_beyond_the_border_alone():
    lent = completed(painted(SKIN), left_half(), surface(), symmetric=True)[40, 32:, 3]
    assert (np.diff(lent[:8]) >= -1e-3).all()
    assert lent[1] < 0.9
    assert lent[20] > 0.99


def test_light_that_falls_from_the_side_is_told_from_the_albedo():
    tilt = np.linspace(-1.0, 1.0, SIZE)[None].repeat(SIZE, 0)
    normal = np.stack([np.sin(tilt), 0.0 * tilt, np.cos(tilt)], axis=-1).astype(np.float32)
    planes = surface()
    planes = SurfacePlanes(
        planes.albedo,
        normal,
        planes.cosine,
        planes.skin,
        planes.skin,
        *[0.0 * planes.skin] * 8,
        planes.skin,
        planes.skin,
        planes.skin,
    )
    photo = np.rint(255 * 0.6 * (0.7 + 0.3 * normal[..., :1])).repeat(3, -1).astype(np.uint8)
    whole = np.full((SIZE, SIZE), 255, np.uint8)
    shade = complete(photo, whole, whole, planes, symmetric=False).shade
    flat = (photo[..., 0] / shade)[8:-8, 8:-8]
    assert flat.std() / flat.mean() < 0.03
    assert photo[..., 0].std() / photo.mean() > 0.15


def test_light_hair_is_not_taken_for_its_shadows():
    """Blond hair with dark gaps between strands, and its border with skin mixed."""
    photo = painted((190, 165, 90))
    photo[:16, ::3] = (80, 65, 25)
    fields = completed(photo, left_half(), surface())
    lightness = to_lab(fields[None, 4, 60:61, :3] / 255.0)[0, 0, 0]
    dark, blond = (
        to_lab(np.array([[c]], np.float32) / 255.0)[0, 0, 0] for c in ((80, 65, 25), (190, 165, 90))
    )
    assert lightness > (dark + blond) / 2.0


def test_strands_are_as_strong_as_the_contrast_of_the_hair():
    smooth, rough = painted(HAIR), painted(HAIR)
    rough[:16][np.indices((16, SIZE)).sum(0) % 2 > 0] = (110, 80, 60)
    amounts = [whole(photo, left_half(), surface()).contrast[1] for photo in (smooth, rough)]
    assert 0.0 < amounts[0] < amounts[1]
    assert completed(painted(SKIN), left_half(), surface())[4, 60, 5] == 0.0


def test_a_shadow_of_the_person_is_no_cloth_on_the_neck():
    shaded, black = painted(HAIR), painted(HAIR)
    shaded[40:], black[40:] = (140, 100, 78), (25, 25, 28)
    low = np.zeros((SIZE, SIZE), np.float32)
    low[40:] = 1.0
    planes = surface(trusted=surface().trusted - low, neck=low)
    everything = np.ones((SIZE, SIZE), bool)
    assert completed(shaded, everything, planes)[56, 32, 4] > 0.8
    assert completed(black, everything, planes)[56, 32, 4] < 0.05


def test_whatever_the_photo_shows_at_its_border_fades_there():
    """A dark stripe along the border is no colour of the hidden half, but makes no edge either."""
    photo = painted(SKIN)
    photo[20:, 26:32] = (155, 110, 85)
    trusted = surface().trusted.copy()
    trusted[:, 20:] = 0.0
    fields = completed(photo, left_half(), surface(trusted=trusted))
    lightness = to_lab(fields[40, None, :, :3] / np.float32(255.0))[0, :, 0]
    assert lightness[60] - lightness[33] > 1.5
    assert np.abs(np.diff(lightness[33:])).max() < 4.0


def behind_hair(color, cosine):
    """Hair on the scalp, with another colour on the columns from 20 to 30, seen at an angle."""
    photo = painted(HAIR)
    photo[:16, 20:30] = color
    angle = np.ones((SIZE, SIZE), np.float32)
    angle[:16, 20:30] = cosine
    return completed(photo, left_half(), surface(cosine=angle))


def test_light_behind_the_outline_of_hair_is_no_streak_in_it():
    wall = (215, 225, 235)
    replaced = behind_hair(wall, 0.25)
    assert replaced[4, 25, 4] < 0.1
    assert apart(replaced[4, 25, :3], HAIR) < 8.0
    assert behind_hair(wall, 0.8)[4, 25, 4] > 0.7  # a ribbon


def test_dark_strands_at_an_outline_stay():
    dark, light = (behind_hair(color, 0.4)[4, 25, 4] for color in ((25, 18, 14), (215, 225, 235)))
    assert dark > 0.85
    assert light < 0.6


def test_deviations_are_distances_over_each_channels_spread():
    rng = np.random.default_rng(0)
    colors = rng.normal(50.0, 20.0, (8, 8, 3)).astype(np.float32)
    middle, spread = np.array([50, 4, -9], np.float32), np.array([9, 4, 5], np.float32)
    expected = np.linalg.norm((colors - middle) / spread, axis=-1)
    np.testing.assert_allclose(deviations(colors, middle, spread), expected, rtol=1e-4, atol=1e-5)


def test_light_of_first_order_is_linear_in_normals():
    rng = np.random.default_rng(0)
    normals = rng.normal(size=(8, 8, 3)).astype(np.float32)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    lighting = np.zeros((9, 3), np.float32)
    lighting[0], lighting[1:4] = AMBIENT_WHITE, rng.normal(size=(3, 3))
    expected = shading(normals, lighting)
    np.testing.assert_allclose(linear_shading(normals, lighting), expected, atol=1e-5)
