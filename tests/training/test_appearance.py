"""Random appearance of crops; blur against OpenCV's."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mlanet.training import appearance
from mlanet.training.appearance import (
    MOST_CUT,
    MOST_NOISE,
    change_colors,
    gaussian_blur,
    kept_side,
    lose_detail,
    motion_blur,
    occluder_mask,
    patches,
    put_occluders,
    random_appearance,
)
from mlanet.training.dice import Dice

SIZE = 48


def dice(count, seed=0):
    return Dice([np.random.default_rng([seed, number]) for number in range(count)])


def everywhere(count):
    return torch.ones(count, dtype=torch.bool)


@pytest.fixture(scope="module")
def crops():
    """Five crops (5, 3, 48, 48) whose colours change little from pixel to pixel."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 9, 9, 3)).astype(np.uint8)
    smooth = [cv2.resize(one, (90, 90), interpolation=cv2.INTER_CUBIC) for one in coarse]
    pixels = torch.from_numpy(np.stack(smooth)[:, :SIZE, :SIZE].copy())
    return pixels.permute(0, 3, 1, 2).float() / 255.0


def as_crop(pixels):
    return pixels.permute(1, 2, 0).numpy()


def test_crops_stay_where_no_change_is_asked_for(crops, neutral):
    found = random_appearance(crops, everywhere(5), neutral, dice(5))
    np.testing.assert_allclose(found, crops, atol=1e-5)


def test_a_crop_changes_alike_in_any_company(crops, neutral):
    """What a sample meets is its own chance, whoever else is in the batch."""
    every = replace(
        neutral, color=0.3, blur=0.5, motion=0.5, noise=0.5, occluder=0.5, cut=0.5, grey=0.3
    )
    whole = random_appearance(crops, everywhere(5), every, dice(5, seed=3))
    for rows in ([0, 1], [2], [3, 4]):
        own = Dice([np.random.default_rng([3, row]) for row in rows])
        part = random_appearance(crops[rows], everywhere(len(rows)), every, own)
        torch.testing.assert_close(part, whole[rows], rtol=0, atol=1e-5)
    assert not torch.equal(whole, crops)


def test_a_hand_has_the_colour_of_the_face_and_changes_nothing_else(crops, neutral):
    face = torch.tensor([0.7, 0.5, 0.4])[:, None, None].expand(40, 3, SIZE, SIZE)
    found = random_appearance(face, everywhere(40), replace(neutral, hand=1.0), dice(40))
    covered = (found - face).abs().amax(dim=1) > 0.01
    assert 0.1 < covered.float().mean() < 0.6
    assert (covered.flatten(1).float().mean(dim=1) > 0.03).all()
    red, green, blue = found.unbind(dim=1)
    assert ((red > green) & (green > blue)).float().mean() > 0.98
    others = replace(neutral, cut=0.5, noise=0.5, occluder=0.5)
    plain = random_appearance(crops, everywhere(5), others, dice(5, seed=2))
    seldom = random_appearance(crops, everywhere(5), replace(others, hand=1e-9), dice(5, seed=2))
    assert torch.equal(plain, seldom)


def test_colours_change_only_where_they_are_free(crops, neutral):
    free = torch.tensor([True, False, True, False, True])
    found = random_appearance(crops, free, replace(neutral, color=0.3), dice(5))
    differences = (found - crops).abs().mean(dim=(1, 2, 3))
    assert (differences[free] > 0.01).all()
    np.testing.assert_array_equal(found[~free], crops[~free])


def test_colours_change_as_far_as_the_configuration_says(neutral):
    """Of a grey crop the gains alone show: their logarithms have known deviations."""
    grey = torch.full((3000, 3, 2, 2), 0.5)
    config = replace(neutral, color=0.2)
    found = change_colors(grey, config, dice(3000)).mean(dim=(2, 3))
    level = torch.log(found.mean(dim=1))
    gamma, gain = np.log(0.5), 0.5 * 0.2
    expected = np.sqrt((gamma * 0.2) ** 2 + gain**2 + (0.2 * 0.2) ** 2 / 3)
    assert float(level.std()) == pytest.approx(expected, rel=0.06)


def test_grey_crops_are_grey(crops, neutral):
    found = change_colors(crops.clone(), replace(neutral, grey=1.0), dice(5))
    assert float((found.amax(dim=1) - found.amin(dim=1)).max()) < 1e-6


@pytest.mark.parametrize("flaw", ["blur", "motion", "noise"])
def test_flaws_keep_the_mean_colour(crops, neutral, flaw):
    found = random_appearance(crops, everywhere(5), replace(neutral, **{flaw: 1.0}), dice(5))
    differences = (found - crops).abs().mean(dim=(1, 2, 3))
    assert (differences > 1e-5).all()
    np.testing.assert_allclose(found.mean(dim=(2, 3)), crops.mean(dim=(2, 3)), atol=0.02)


def test_noise_is_as_strong_as_it_may_be(neutral):
    grey = torch.full((300, 3, SIZE, SIZE), 0.5)
    noisy = random_appearance(grey, everywhere(300), replace(neutral, noise=1.0), dice(300))
    strength = noisy.std(dim=(1, 2, 3))
    assert MOST_NOISE * 0.97 < float(strength.max()) < MOST_NOISE * 1.03
    assert float(strength.mean()) == pytest.approx(MOST_NOISE / 2, rel=0.08)


def test_half_of_the_blurred_crops_lose_resolution(neutral, monkeypatch):
    counts = {"soft": 0, "coarse": 0}

    def counted(name, flaw):
        def run(some, own):
            counts[name] += len(some)
            return flaw(some, own)

        return run

    monkeypatch.setattr(appearance, "blur", counted("soft", appearance.blur))
    monkeypatch.setattr(appearance, "lose_detail", counted("coarse", lose_detail))
    grey = torch.full((1000, 3, 8, 8), 0.5)
    random_appearance(grey, everywhere(1000), replace(neutral, blur=0.4), dice(1000))
    assert counts["soft"] == pytest.approx(200, abs=40)
    assert counts["coarse"] == pytest.approx(200, abs=40)


def test_blur_is_opencvs(crops):
    deviations = torch.tensor([0.4, 0.7, 1.0, 1.3, 1.6])
    found = gaussian_blur(crops, deviations)
    for k, deviation in enumerate(deviations.tolist()):
        border = cv2.BORDER_REPLICATE
        wanted = cv2.GaussianBlur(as_crop(crops[k]), (9, 9), deviation, borderType=border)
        np.testing.assert_allclose(as_crop(found[k]), wanted, atol=2e-3)


def test_lost_detail_is_gone():
    noise = torch.rand(20, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    found = lose_detail(noise, dice(20))
    assert (found.std(dim=(1, 2, 3)) < 0.75 * noise.std(dim=(1, 2, 3))).all()
    np.testing.assert_allclose(found.mean(dim=(2, 3)), noise.mean(dim=(2, 3)), atol=0.02)


def test_motion_draws_a_dot_into_a_line():
    pixels = torch.zeros(2, 3, 41, 41)
    pixels[:, :, 20, 20] = 1.0
    found = motion_blur(pixels, 10.0, np.pi / 2)
    rows = torch.nonzero(found[0, 0].sum(dim=1) > 0.01)
    assert (rows.min(), rows.max()) == (15, 25)
    assert float(found[0, 0, :, 20].sum()) == pytest.approx(1.0, abs=1e-3)
    torch.testing.assert_close(motion_blur(pixels, 0.0, 0.3), pixels, rtol=0, atol=1e-4)


def test_occluders_cover_a_part():
    grey = torch.full((300, 3, SIZE, SIZE), 7.0 / 255.0)
    found = put_occluders(grey, dice(300), 0.28)
    shares = (found != grey).any(dim=1).float().mean(dim=(1, 2))
    assert 0.05 < float(shares.median()) < 0.2
    assert float(shares.max()) < 0.6
    assert (grey == 7.0 / 255.0).all()


def test_occluders_are_opencvs():
    """Ellipses, boxes and bars of the same numbers, drawn by OpenCV."""
    shares = {"mine": [], "theirs": []}
    masks = occluder_mask(SIZE, dice(60), 0.28).numpy()
    for number, mine in enumerate(masks):
        rng = np.random.default_rng([0, number])
        center, axes = rng.random((2, 1, 1)), rng.random((2, 1, 1))
        turn, kind = float(rng.random((1, 1))[0, 0]), int(3 * rng.random((1, 1))[0, 0])
        center = tuple(int(v) for v in (0.05 + 0.9 * center.ravel()) * SIZE)
        axes = tuple(int(v) for v in (0.05 + 0.23 * axes.ravel()) * SIZE)
        theirs = np.zeros((SIZE, SIZE), np.uint8)
        if kind == 0:
            cv2.ellipse(theirs, center, axes, 180 * turn, 0, 360, 255, -1)
        else:
            stretch = (axes[0] * 2, axes[1] * 2) if kind == 1 else (2 * SIZE, axes[1] // 2 + 1)
            corners = cv2.boxPoints((center, stretch, 180 * turn))
            cv2.fillConvexPoly(theirs, corners.astype(np.int32), 255)
        assert (mine != (theirs > 0)).mean() < 0.06
        shares["mine"].append(mine.mean())
        shares["theirs"].append((theirs > 0).mean())
    assert np.mean(shares["mine"]) == pytest.approx(np.mean(shares["theirs"]), abs=0.015)


def test_larger_occluders_hide_more():
    shares = [occluder_mask(SIZE, dice(60), size).float().mean().item() for size in (0.28, 0.5)]
    assert shares[1] > 1.5 * shares[0]


def test_patches_are_an_enlarged_picture_of_few_pixels():
    found = patches(SIZE, dice(20), torch.device("cpu"))
    for number, mine in enumerate(found):
        rng = np.random.default_rng([0, number])
        columns, rows = (int(2 + 7 * value) for value in rng.random((2, 1)).ravel())
        coarse = rng.random((3, 8, 8))[:, :rows, :columns].transpose(1, 2, 0)
        wanted = cv2.resize(coarse, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        np.testing.assert_allclose(as_crop(mine), wanted, atol=1e-4)


def test_a_cut_side_is_black():
    kept = kept_side(SIZE, dice(400))
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    rows, columns = kept[:, 0].mean(dim=2), kept[:, 0].mean(dim=1)
    straight = ((rows == 0) | (rows == 1)).all(dim=1) | ((columns == 0) | (columns == 1)).all(dim=1)
    assert straight.all()
    assert float(kept.mean(dim=(1, 2, 3)).min()) >= 1.0 - MOST_CUT - 0.5 / SIZE
    for side in (kept[:, 0, 0], kept[:, 0, -1], kept[:, 0, :, 0], kept[:, 0, :, -1]):
        assert 60 < int((side.sum(dim=1) == 0).sum()) < 140
