import numpy as np
import pytest

from mlanet.texturing.eyes import EyeIsland, complete_eyes

SIZE = 256
WHITE, BLUE, LID = (210, 205, 200), (40, 80, 150), (180, 130, 110)
ISLANDS = tuple(EyeIsland((u, 0.5), 0.2, 75.0 / 0.17) for u in (0.25, 0.75))


def eyes(right_deg=0.0, down_deg=0.0):
    """Two balls with blue irises that look aside, seen whole."""
    image = np.full((SIZE, SIZE, 3), WHITE, np.uint8)
    for island in ISLANDS:
        x, y = island.offsets_deg(SIZE)
        image[island.window(SIZE)][np.hypot(x - right_deg, y - down_deg) < 24.0] = BLUE
    return image


def between_lids():
    """The middle third of each ball is seen."""
    seen = np.zeros((SIZE, SIZE), np.float32)
    seen[SIZE // 2 - 13 : SIZE // 2 + 13] = 1.0
    return seen


@pytest.mark.parametrize(("right", "down"), [(0.0, 0.0), (10.0, 0.0), (-6.0, 5.0)])
def test_an_iris_under_the_lids_is_completed(right, down):
    whole, seen = eyes(right, down), between_lids()
    image = np.where(seen[..., None] > 0, whole, np.array(LID)).astype(np.uint8)
    complete_eyes(image, whole, seen, ISLANDS)
    for island in ISLANDS:
        x, y = island.offsets_deg(SIZE)
        distance = np.hypot(x - right, y - down)
        found = image[island.window(SIZE)].astype(int)
        assert np.abs(found[distance < 17.0] - BLUE).mean() < 12
        white = (distance > 34.0) & (np.hypot(x, y) < 40.0)
        share = found[white] / WHITE
        assert np.ptp(share, axis=1).max() < 0.02  # shaded by the lids, of one hue
        assert share.min() > 0.5
        assert share.max() < 1.05


def test_what_is_seen_stays_as_it_is():
    whole, seen = eyes(8.0), between_lids()
    image = np.zeros_like(whole)
    complete_eyes(image, whole, seen, ISLANDS)
    for island in ISLANDS:
        window = island.window(SIZE)
        kept = seen[window] > 0
        np.testing.assert_array_equal(image[window][kept], whole[window][kept])


def test_shade_along_a_lid_does_not_stay_on_the_ball():
    """Eyes that look up would show it as a line."""
    whole, seen = eyes(), between_lids()
    whole[SIZE // 2 + 12] = (90, 80, 78)
    image = np.zeros_like(whole)
    complete_eyes(image, whole, seen, ISLANDS)
    for island in ISLANDS:
        x, y = island.offsets_deg(SIZE)
        under = (np.hypot(x, y) > 31.0) & (np.abs(x) < 34.0) & (y > 0.0) & (y < 40.0)
        assert image[island.window(SIZE)][under].min() > 140


def test_closed_eyes_stay_closed():
    lids, seen = np.full((SIZE, SIZE, 3), LID, np.uint8), between_lids()
    image = np.full((SIZE, SIZE, 3), 77, np.uint8)
    complete_eyes(image, lids, seen, ISLANDS)
    assert (image == 77).all()
    complete_eyes(image, lids, 0.0 * seen, ISLANDS)
    assert (image == 77).all()


def test_skin_on_the_white_is_no_white():
    whole, seen = eyes(), between_lids()
    for island in ISLANDS:
        x, _ = island.offsets_deg(SIZE)
        whole[island.window(SIZE)][x < -48.0] = (190, 110, 80)
    image = whole.copy()
    complete_eyes(image, whole, seen, ISLANDS)
    for island in ISLANDS:
        x, y = island.offsets_deg(SIZE)
        found = image[island.window(SIZE)][(x < -50.0) & (np.abs(y) < 4.0)].astype(float)
        assert np.ptp(found / WHITE, axis=1).max() < 0.05


def test_a_red_rim_of_the_lid_leaves_the_hidden_ball_white():
    whole, seen = eyes(), between_lids()
    rim = (185, 120, 100)
    whole[SIZE // 2 + 8 : SIZE // 2 + 13] = rim  # seen on the ball, along the lower lid
    image = np.where(seen[..., None] > 0, whole, np.array(LID)).astype(np.uint8)
    complete_eyes(image, whole, seen, ISLANDS)
    for island in ISLANDS:
        x, y = island.offsets_deg(SIZE)
        # comes up when the eye looks up
        below = (y > 20.0) & (y < 55.0) & (np.abs(x) < 25.0) & (np.hypot(x, y) > 30.0)
        share = image[island.window(SIZE)][below] / WHITE
        assert share.mean() > 0.85
        assert np.ptp(share.mean(axis=0)) < 0.06
