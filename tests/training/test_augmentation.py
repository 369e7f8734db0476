from dataclasses import replace

import numpy as np
import pytest

from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.training.augmentation import (
    TURNED_DEG,
    AugmentationConfig,
    CropChange,
    cut_side,
    move,
    put_occluder,
    random_change,
    random_crop,
    random_look,
)

GEOMETRY = AugmentationConfig(color=0.0, grey=0.0, blur=0.0, noise=0.0, occluder=0.0, cut=0.0)
STILL = replace(GEOMETRY, rotation_deg=0.0, turned=0.0, shift=0.0, log_scale=0.0, flip=0.0)
IMAGE_SIDE = 400
DOT = 3.0


@pytest.fixture(scope="module")
def dots():
    """68 landmarks on a jittered grid, each a soft dot of a colour of its own on black."""
    rng = np.random.default_rng(0)
    cells = np.stack(np.meshgrid(np.arange(9), np.arange(8)), axis=-1).reshape(-1, 2)[:68]
    xy = 40 + cells * 40 + rng.uniform(-6, 6, (68, 2))
    landmarks = np.concatenate([xy, rng.uniform(-40, 40, (68, 1))], axis=1)
    centers = np.arange(IMAGE_SIDE) + 0.5
    x = np.exp(-0.5 * ((centers - xy[:, :1]) / DOT) ** 2)
    y = np.exp(-0.5 * ((centers - xy[:, 1:]) / DOT) ** 2)
    colors = rng.uniform(0.2, 1.0, (68, 3))
    colors /= colors.max(axis=1, keepdims=True)
    image = np.einsum("nx,ny,nc->yxc", x, y, colors)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), landmarks, colors


def measured(crop, xy, radius=6):
    """Centre of mass and colour of the dot nearest to a pixel position."""
    left, top = (np.floor(xy) - radius).astype(int)
    window = crop[top : top + 2 * radius + 1, left : left + 2 * radius + 1].astype(float)
    light = window.sum(axis=2)
    light[light < 20] = 0
    rows, columns = np.indices(light.shape)
    center = np.array([(light * columns).sum(), (light * rows).sum()]) / light.sum()
    color = window.sum(axis=(0, 1))
    return center + np.array([left + 0.5, top + 0.5]), color / color.max()


@pytest.mark.parametrize("flip", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(6))
def test_landmarks_move_with_the_pixels(dots, flip, seed):
    image, landmarks, colors = dots
    config = replace(GEOMETRY, flip=flip)
    crop, moved = random_crop(image, landmarks, 256, config, np.random.default_rng(seed))
    names = MIRRORED_LANDMARKS if flip else np.arange(68)
    inside = ((moved[:, :2] > 10) & (moved[:, :2] < 246)).all(axis=1)
    assert inside.sum() > 40
    for number in np.flatnonzero(inside):
        center, color = measured(crop, moved[number, :2])
        assert np.abs(center - moved[number, :2]).max() < 0.3
        assert np.abs(color - colors[names[number]]).max() < 0.08


def test_the_crop_without_changes_is_the_protocols(dots):
    from mlanet.image import crop_square, square_from_landmarks, transform_points

    image, landmarks, _ = dots
    crop, moved = random_crop(image, landmarks, 320, STILL, np.random.default_rng(0))
    expected = crop_square(image, square_from_landmarks(landmarks), 320)
    xy = transform_points(expected.crop_from_image, landmarks[:, :2])
    np.testing.assert_allclose(moved[:, :2], xy, atol=1e-4)
    np.testing.assert_allclose(
        moved[:, 2], landmarks[:, 2] * expected.crop_from_image[0, 0], rtol=1e-5
    )
    difference = np.abs(crop.astype(int) - expected.image.astype(int))
    assert difference.mean() < 1.0


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_distances_scale_alike_in_all_three_axes(dots, flip):
    image, landmarks, _ = dots
    config = replace(GEOMETRY, flip=flip)
    _, moved = random_crop(image, landmarks, 128, config, np.random.default_rng(3))
    before = landmarks[MIRRORED_LANDMARKS] if flip else landmarks

    def lengths(points, axes):
        return np.linalg.norm(np.diff(points[:, axes], axis=0), axis=1)

    scale = lengths(moved, slice(2)) / lengths(before, slice(2))
    np.testing.assert_allclose(scale, scale[0], rtol=1e-4)
    np.testing.assert_allclose(
        lengths(moved, slice(2, 3)), lengths(before, slice(2, 3)) * scale[0], rtol=1e-3, atol=1e-3
    )


def test_mirrored_landmarks_are_an_involution_that_keeps_the_middle():
    assert sorted(MIRRORED_LANDMARKS) == list(range(68))
    assert (MIRRORED_LANDMARKS[MIRRORED_LANDMARKS] == np.arange(68)).all()
    middle = np.flatnonzero(np.arange(68) == MIRRORED_LANDMARKS)
    assert middle.tolist() == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_mirrored_landmarks_fit_the_face_models_symmetry():
    from mlanet.morphable import load_model

    mean = load_model().landmarks.mean
    mirrored = mean[MIRRORED_LANDMARKS] * [-1, 1, 1]
    assert np.linalg.norm(mirrored - mean, axis=1).max() < 3.0  # mm


def test_the_generator_decides_everything(dots):
    image, landmarks, _ = dots
    config = AugmentationConfig()
    first = random_crop(image, landmarks, 64, config, np.random.default_rng([1, 2]))
    again = random_crop(image, landmarks, 64, config, np.random.default_rng([1, 2]))
    other = random_crop(image, landmarks, 64, config, np.random.default_rng([1, 3]))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])
    assert (first[1] != other[1]).any()


def test_looks_stay_where_no_change_is_asked_for():
    crop = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    np.testing.assert_array_equal(random_look(crop, STILL, np.random.default_rng(0)), crop)


def test_grey_pictures_are_grey():
    crop = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    grey = random_look(crop, replace(STILL, grey=1.0), np.random.default_rng(0))
    assert (np.ptp(grey, axis=2) == 0).all()


def test_noise_keeps_the_mean_and_blur_the_structure():
    crop = np.full((48, 48, 3), 128, np.uint8)
    crop[:, 24:] = 160
    noisy = random_look(crop, replace(STILL, noise=1.0), np.random.default_rng(2))
    assert abs(noisy.mean() - crop.mean()) < 1.0
    assert noisy[:, :20].std() > 1.0
    blurred = random_look(crop, replace(STILL, blur=1.0), np.random.default_rng(2))
    steps = np.diff(blurred[24, :, 0].astype(int))
    assert steps.max() < 32
    assert abs(blurred[24, -1, 0] - 160) <= 1


def test_known_colours_keep_their_flaws_alone():
    crop = np.random.default_rng(0).integers(0, 256, (48, 48, 3)).astype(np.uint8)
    colorful = replace(STILL, color=0.5)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(random_look(crop, colorful, rng, colors=False), crop)
    noisy = random_look(crop, replace(colorful, noise=1.0), rng, colors=False)
    assert abs(noisy.mean() - crop.mean()) < 2.0
    assert (noisy != crop).mean() > 0.2


def test_motion_draws_a_dot_into_a_line():
    pixels = np.zeros((41, 41, 3), np.float32)
    pixels[20, 20] = 1.0
    found = move(pixels, 10.0, np.radians(90.0))[..., 0]
    rows = np.flatnonzero(found.sum(axis=1) > 0.01)
    assert (rows.min(), rows.max()) == (15, 25)
    assert found[:, 20].sum() == pytest.approx(1.0, abs=1e-3)
    moving = random_look(
        (pixels * 255).astype(np.uint8), replace(STILL, motion=1.0), np.random.default_rng(0)
    )
    assert moving.max() < 200


def test_an_occluder_covers_a_part():
    crop = np.full((64, 64, 3), 7, np.uint8)
    shares = []
    for seed in range(40):
        covered = put_occluder(crop, np.random.default_rng(seed))
        shares.append((covered != 7).any(axis=2).mean())
    assert (crop == 7).all()
    assert np.median(shares) > 0.01
    assert max(shares) < 0.6


def test_some_pictures_are_turned_far_out_of_the_upright(dots):
    _, landmarks, _ = dots
    config = replace(STILL, rotation_deg=10.0, turned=0.25)
    rng = np.random.default_rng(0)
    changes = [random_change(landmarks, 128, config, rng) for _ in range(2000)]
    turns = np.abs(np.degrees([change.turn_rad for change in changes]))
    assert turns.max() <= TURNED_DEG
    assert (turns > 60).mean() == pytest.approx(0.25 * 0.5, abs=0.03)
    for change in changes[:50]:  # whatever the turn, the landmarks' square is the crop
        points = change.landmarks(landmarks)[:, :2]
        assert points.min() > 0
        assert points.max() < 128


def test_small_crops_are_averages():
    """Stripes of one pixel become grey, as `crop_square` has it, and not stripes of some width."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, ::2] = 255
    change = CropChange(np.array([[0.25, 0.0, 0.0], [0.0, 0.25, 0.0]]), 50)
    crop = change.picture(image)[2:-2, 2:-2].astype(float)
    assert np.abs(crop - 127.5).max() < 8


def test_one_side_is_cut_off():
    crop = np.full((64, 64, 3), 200, np.uint8)
    rng = np.random.default_rng(0)
    sides = set()
    for _ in range(60):
        black = (cut_side(crop, rng) == 0).all(axis=2)
        rows, columns = black.all(axis=1), black.all(axis=0)
        assert black.sum() == 64 * (rows.sum() + columns.sum() * (not rows.any()))
        assert black.mean() < 0.42
        if black.any():
            sides.add((bool(black[0].all()), bool(black[-1].all()), bool(black[:, 0].all())))
    assert len(sides) == 4
