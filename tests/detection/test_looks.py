import numpy as np
import pytest

from mlanet.detection.looks import (
    TILE_OVERLAP_PX,
    TILE_PX,
    fine_px,
    glance_px,
    looked_at_px,
    needs_tiles,
    network_input,
    resized,
    tiles,
)


@pytest.mark.parametrize(
    ("size", "first", "fine", "tiled"),
    [
        ((450, 450), 384, None, False),
        ((64, 40), 384, None, False),
        ((720, 1280), 384, 960, False),
        ((1500, 2000), 384, 960, True),
        ((3000, 4000), 384, 960, True),
        ((1000, 8000), 768, 1920, True),
        ((16, 2000), 2000, None, False),
    ],
)
def test_looks_follow_the_pictures_size(size, first, fine, tiled):
    assert looked_at_px(size, 384) == pytest.approx(first)
    assert fine_px(size) == fine
    assert needs_tiles(size) == tiled


def test_a_glance_shows_small_pictures_of_all_sizes_about_as_large():
    longest = range(300, 576)
    shown = [glance_px((200, side)) / side for side in longest]
    assert min(shown) >= glance_px((575, 575)) / 575


@pytest.mark.parametrize("size", [(1440, 1920), (480, 3840), (2000, 500), (300, 200)])
def test_tiles_cover_the_picture_and_every_small_face_lies_in_one(size):
    found = list(tiles(size))
    for tile in found:
        assert 0 < tile.right - tile.left <= TILE_PX
        assert 0 < tile.bottom - tile.top <= TILE_PX
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, np.array(size[::-1]) - TILE_OVERLAP_PX + 1, (300, 2)).astype(int)
    for left, top in corner:
        right, bottom = left + TILE_OVERLAP_PX - 1, top + TILE_OVERLAP_PX - 1
        assert any(
            tile.left <= left and tile.top <= top and tile.right >= right and tile.bottom >= bottom
            for tile in found
        )


def test_the_frame_is_grey_and_its_sides_are_multiples_of_32():
    batch = network_input(np.full((40, 70, 3), 200, np.uint8), 5)
    assert batch.shape == (1, 3, 64, 96)
    assert (batch[0, :, 5:45, 5:75] == 200).all()
    assert (batch == 128).sum() == 3 * (64 * 96 - 40 * 70)


@pytest.mark.parametrize(
    ("size", "wanted"), [((450, 450), 384), ((450, 400), 160), ((900, 960), 192)]
)
def test_smaller_pictures_hold_the_means_of_what_they_show(size, wanted):
    rng = np.random.default_rng(0)
    coarse = rng.uniform(60, 200, (9, 9, 3))
    y, x = ((np.arange(side) + 0.5) / side * 8.0 for side in size)
    low, part = np.floor(y).astype(int), (y % 1.0)[:, None, None]
    rows = coarse[low] * (1.0 - part) + coarse[low + 1] * part
    low, part = np.floor(x).astype(int), (x % 1.0)[None, :, None]
    smooth = rows[:, low] * (1.0 - part) + rows[:, low + 1] * part
    fine = np.where((np.indices(size).sum(axis=0) % 2)[..., None] == 0, smooth - 25, smooth + 25)
    rows, cols = (round(side * wanted / max(size)) for side in size)
    small = resized(fine.astype(np.uint8), rows, cols, quick=True).astype(float)
    there_y = np.minimum(((np.arange(rows) + 0.5) * size[0] / rows).astype(int), size[0] - 1)
    there_x = np.minimum(((np.arange(cols) + 0.5) * size[1] / cols).astype(int), size[1] - 1)
    expected = smooth[there_y][:, there_x]
    assert np.abs(small.mean() - expected.mean()) < 1.0
    if max(size) / wanted >= 2.0:  # fine texture is gone
        assert np.abs(small - expected).mean() < 4.0
