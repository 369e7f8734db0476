"""Random crops and looks of tensors, against OpenCV's of one picture."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from mlanet.training import resident_looks
from mlanet.training.augmentation import (
    MOST_CUT,
    TURNED_DEG,
    AugmentationConfig,
    CropChange,
    move,
    put_occluder,
    random_change,
)
from mlanet.training.resident_crops import CropChanges, random_changes, reflected
from mlanet.training.resident_looks import (
    Dice,
    blurred,
    changed_colors,
    kept_side,
    moved,
    occluded,
    random_looks,
    with_flaws,
)

SIZE = 48


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def smooth():
    """Five pictures (5, 90, 90, 3) whose colours change little from pixel to pixel."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 9, 9, 3)).astype(np.uint8)
    return np.stack([cv2.resize(one, (90, 90), interpolation=cv2.INTER_CUBIC) for one in coarse])


@pytest.fixture(scope="module")
def crops(smooth):
    return torch.from_numpy(smooth[:, :SIZE, :SIZE].copy()).permute(0, 3, 1, 2).float() / 255.0


def as_crop(pixels):
    return pixels.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("scale", [0.6, 1.0, 1.7])
@pytest.mark.parametrize("reflect", [False, True])
def test_crops_are_those_of_opencv(smooth, scale, reflect):
    rng = np.random.default_rng(1)
    angles = rng.uniform(-1.5, 1.5, 5)
    c, s = scale * np.cos(angles), scale * np.sin(angles)
    linear = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    offset = SIZE / 2 - linear @ rng.uniform(35, 55, (5, 2, 1))
    matrices = np.concatenate([linear, offset], axis=2)
    mirrored = np.array([False, True, False, True, True])
    changes = CropChanges(
        torch.from_numpy(matrices), SIZE, torch.from_numpy(mirrored), torch.full((5,), reflect)
    )
    drawn = changes.pictures(torch.from_numpy(smooth), torch.full((5, 2), 90.0))
    points = torch.from_numpy(rng.uniform(0, 90, (5, 68, 3)))
    landmarks = changes.landmarks(points)
    for k in range(5):
        change = CropChange(matrices[k], SIZE, bool(mirrored[k]), reflect)
        np.testing.assert_allclose(landmarks[k], change.landmarks(points[k].numpy()), atol=1e-3)
        wanted = change.picture(smooth[k]) / 255.0
        assert np.abs(as_crop(drawn[k]) - wanted).mean() < 0.012


def test_each_crop_is_sampled_as_finely_as_it_needs():
    """One picture that shrinks among others that do not."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 240, 240, 3)).astype(np.uint8)
    matrices = np.zeros((3, 2, 3))
    for matrix, scale in zip(matrices, (0.25, 0.6, 1.3), strict=True):
        matrix[0, 0] = matrix[1, 1] = scale
    still = torch.zeros(3, dtype=torch.bool)
    changes = CropChanges(torch.from_numpy(matrices), SIZE, still, still)
    drawn = changes.pictures(torch.from_numpy(noise), torch.full((3, 2), 240.0))
    for k in range(3):
        wanted = CropChange(matrices[k], SIZE).picture(noise[k]) / 255.0
        assert float(drawn[k].std()) == pytest.approx(wanted.std(), rel=0.12)


def test_smaller_pictures_are_mirrored_at_their_own_border(smooth):
    wide = smooth[0, :40]
    padded = np.zeros((1, 90, 90, 3), np.uint8)
    padded[0, :40] = wide
    matrix = np.array([[0.8, 0.0, 0.0], [0.0, 0.8, 0.0]])
    one = torch.ones(1, dtype=torch.bool)
    changes = CropChanges(torch.from_numpy(matrix)[None], SIZE, ~one, one)
    drawn = changes.pictures(torch.from_numpy(padded), torch.tensor([[90.0, 40.0]]))
    wanted = CropChange(matrix, SIZE, reflect=True).picture(wide) / 255.0
    assert np.abs(as_crop(drawn[0]) - wanted).mean() < 0.012
    assert (as_crop(drawn[0])[-3:] > 0.0).any()


def test_a_single_crop_of_a_batch_may_be_blurred_or_lose_resolution(neutral, monkeypatch):
    crops = torch.rand(4, 3, SIZE, SIZE, generator=generator())
    blurs = []
    monkeypatch.setattr(
        resident_looks,
        "blurred",
        lambda some, width: blurs.append(len(some)) or blurred(some, width),
    )
    for seed in range(40):
        found = with_flaws(crops, replace(neutral, blur=0.25), Dice(generator(seed), 4))
        assert int(((found - crops).abs().mean(dim=(1, 2, 3)) > 1e-4).sum()) == 1
    assert set(blurs) == {1}
    assert 10 < len(blurs) < 30


def test_the_mirror_image_beyond_the_border():
    points = torch.tensor([[[-0.5, 0.5], [0.5, 9.5], [10.5, -2.5], [4.0, 21.0]]])
    found = reflected(points, torch.tensor([10.0, 10.0]))
    wanted = [[[1.5, 0.5], [0.5, 9.5], [8.5, 3.5], [4.0, 3.0]]]
    np.testing.assert_allclose(found, wanted)


def test_changes_have_the_ranges_of_the_processors():
    config = AugmentationConfig(shift=0.2, log_scale=0.2, turned=0.3)
    rng = np.random.default_rng(0)
    points = rng.uniform(0, 50, (68, 3))
    many = torch.from_numpy(points).expand(4000, 68, 3)
    mine = random_changes(many, 64, config, generator())
    theirs = [random_change(points, 64, config, rng) for _ in range(4000)]
    scales = mine.crop_from_image[:, :, 0].norm(dim=1).numpy(), [one.scale for one in theirs]
    first = mine.crop_from_image[:, :, 0].numpy()
    angles = np.arctan2(first[:, 1], first[:, 0]), [one.turn_rad for one in theirs]
    centers = (
        mine.landmarks(many).mean(dim=1)[:, 0].numpy(),
        [one.landmarks(points).mean(axis=0)[0] for one in theirs],
    )
    for values, wanted in (scales, angles, centers):
        quantiles = np.linspace(0.05, 0.95, 10)
        spread = np.std(wanted)
        np.testing.assert_allclose(
            np.quantile(values, quantiles), np.quantile(wanted, quantiles), atol=0.12 * spread
        )
    assert abs(float(mine.mirrored.float().mean()) - config.flip) < 0.03
    assert np.abs(angles[0]).max() <= math.radians(TURNED_DEG) + 1e-6


def test_blur_is_opencvs(crops):
    deviations = torch.tensor([0.4, 0.7, 1.0, 1.3, 1.6])
    found = blurred(crops, deviations)
    for k, deviation in enumerate(deviations.tolist()):
        border = cv2.BORDER_REPLICATE
        wanted = cv2.GaussianBlur(as_crop(crops[k]), (9, 9), deviation, borderType=border)
        np.testing.assert_allclose(as_crop(found[k]), wanted, atol=2e-3)


def test_motion_is_the_processors(crops):
    lengths, angles = torch.tensor([0.0, 1.0, 3.0, 5.0, 8.0]), torch.linspace(0.0, 3.0, 5)
    found = moved(crops, lengths, angles)
    for k in range(5):
        wanted = move(as_crop(crops[k]), float(lengths[k]), float(angles[k]))
        assert np.abs(as_crop(found[k]) - wanted).mean() < 4e-3
    np.testing.assert_allclose(found[0], crops[0], atol=1e-5)
    assert (found[4] - crops[4]).abs().mean() > 0.01


def test_looks_stay_where_no_change_is_asked_for(crops, neutral):
    free = torch.ones(5, dtype=torch.bool)
    found = random_looks(crops, free, neutral, generator())
    np.testing.assert_allclose(found, crops, atol=1e-5)


def test_colours_change_only_where_they_are_free(crops, neutral):
    free = torch.tensor([True, False, True, False, True])
    found = random_looks(crops, free, replace(neutral, color=0.3), generator())
    differences = (found - crops).abs().mean(dim=(1, 2, 3))
    assert (differences[free] > 0.01).all()
    np.testing.assert_array_equal(found[~free], crops[~free])


def test_grey_crops_are_grey(crops, neutral):
    found = changed_colors(crops, replace(neutral, grey=1.0), Dice(generator(), 5))
    assert float((found.amax(dim=1) - found.amin(dim=1)).max()) < 1e-6


@pytest.mark.parametrize("flaw", ["blur", "motion", "noise"])
def test_flaws_keep_the_mean_colour(crops, neutral, flaw):
    found = with_flaws(crops, replace(neutral, **{flaw: 1.0}), Dice(generator(), 5))
    differences = (found - crops).abs().mean(dim=(1, 2, 3))
    assert (differences > 1e-4).all()
    np.testing.assert_allclose(found.mean(dim=(2, 3)), crops.mean(dim=(2, 3)), atol=0.02)


def test_occluders_cover_as_much_as_the_processors():
    grey = torch.full((300, 3, SIZE, SIZE), 7.0 / 255.0)
    found = occluded(grey, Dice(generator(), 300))
    mine = (found != grey).any(dim=1).float().mean(dim=(1, 2)).numpy()
    crop = np.full((SIZE, SIZE, 3), 7, np.uint8)
    theirs = [
        (put_occluder(crop, np.random.default_rng(seed)) != 7).any(axis=2).mean()
        for seed in range(300)
    ]
    assert abs(np.mean(mine) - np.mean(theirs)) < 0.03
    assert mine.max() < 0.6


def test_a_cut_side_is_black():
    kept = kept_side(200, SIZE, Dice(generator(), 200))
    assert set(kept.unique().tolist()) == {0.0, 1.0}
    rows, columns = kept[:, 0].mean(dim=2), kept[:, 0].mean(dim=1)
    straight = ((rows == 0) | (rows == 1)).all(dim=1) | ((columns == 0) | (columns == 1)).all(dim=1)
    assert straight.all()
    assert float(kept.mean(dim=(1, 2, 3)).min()) >= 1.0 - MOST_CUT - 0.5 / SIZE
    for side in (kept[:, 0, 0], kept[:, 0, -1], kept[:, 0, :, 0], kept[:, 0, :, -1]):
        assert 20 < int((side.sum(dim=1) == 0).sum()) < 80


def test_a_share_is_met_on_average():
    counts = [len(Dice(generator(seed), 10).some(0.25)) for seed in range(400)]
    assert set(counts) == {2, 3}
    assert abs(np.mean(counts) - 2.5) < 0.1
