"""Random crops of many pictures, against OpenCV's of one (`mlanet.image.crop.resample`)."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mlanet.geometry import MIRRORED_LANDMARKS
from mlanet.image import crop_square, square_from_landmarks, transform_points
from mlanet.image.crop import resample
from mlanet.training import AugmentationConfig
from mlanet.training.augmentation import TURNED_DEG
from mlanet.training.crops import CropChanges, random_changes, reflected
from mlanet.training.dice import Dice

SIZE = 48
IMAGE_SIDE = 400
DOT = 3.0


def dice(*seeds):
    return Dice([np.random.default_rng(seed) for seed in seeds])


def fixed(linear, offset=(0.0, 0.0), size=SIZE, *, mirrored=False, reflect=False):
    matrix = np.column_stack([np.asarray(linear, float), offset])
    flags = (torch.tensor([mirrored]), torch.tensor([reflect]))
    return CropChanges(torch.from_numpy(matrix)[None], size, *flags)


def drawn(changes, *images):
    """Crops of pictures of several sizes, uint8 (s, s, 3)."""
    side = max(max(image.shape[:2]) for image in images)
    stack = np.zeros((len(images), side, side, 3), np.uint8)
    for room, image in zip(stack, images, strict=True):
        room[: image.shape[0], : image.shape[1]] = image
    extent = torch.tensor([image.shape[1::-1] for image in images]).float()
    crops = changes.pictures(torch.from_numpy(stack), extent)
    return (crops * 255.0 + 0.5).byte().permute(0, 2, 3, 1).numpy()


@pytest.fixture(scope="module")
def smooth():
    """Five pictures (5, 90, 90, 3) whose colours change little from pixel to pixel."""
    import cv2

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (5, 9, 9, 3)).astype(np.uint8)
    return np.stack([cv2.resize(one, (90, 90), interpolation=cv2.INTER_CUBIC) for one in coarse])


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
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), torch.from_numpy(landmarks), colors


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
def test_landmarks_move_with_the_pixels(dots, flip):
    image, landmarks, colors = dots
    config = AugmentationConfig(flip=flip)
    changes = random_changes(landmarks.expand(6, 68, 3), 256, config, dice(*range(6)))
    crops = drawn(changes, *[image] * 6)
    names = MIRRORED_LANDMARKS if flip else np.arange(68)
    for crop, moved in zip(crops, changes.landmarks(landmarks.expand(6, 68, 3)), strict=True):
        xy = moved[:, :2].numpy()
        inside = ((xy > 10) & (xy < 246)).all(axis=1)
        assert inside.sum() > 40
        for number in np.flatnonzero(inside):
            center, color = measured(crop, xy[number])
            assert np.abs(center - xy[number]).max() < 0.3
            assert np.abs(color - colors[names[number]]).max() < 0.08


def test_the_crop_without_changes_is_the_protocols(dots, neutral):
    image, landmarks, _ = dots
    changes = random_changes(landmarks[None], 320, neutral, dice(0))
    expected = crop_square(image, square_from_landmarks(landmarks.numpy()), 320)
    moved = changes.landmarks(landmarks[None])[0]
    xy = transform_points(expected.crop_from_image, landmarks[:, :2].numpy())
    np.testing.assert_allclose(moved[:, :2], xy, atol=1e-4)
    depth = landmarks[:, 2] * expected.crop_from_image[0, 0]
    np.testing.assert_allclose(moved[:, 2], depth, rtol=1e-5)
    plain = CropChanges(changes.crop_from_image, 320, changes.mirrored, torch.tensor([False]))
    difference = np.abs(drawn(plain, image)[0].astype(int) - expected.image.astype(int))
    assert difference.mean() < 1.0


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_distances_scale_alike_in_all_three_axes(dots, flip):
    landmarks = dots[1]
    changes = random_changes(landmarks[None], 128, AugmentationConfig(flip=flip), dice(3))
    moved = changes.landmarks(landmarks[None])[0].numpy()
    before = landmarks.numpy()[MIRRORED_LANDMARKS] if flip else landmarks.numpy()

    def lengths(points, axes):
        return np.linalg.norm(np.diff(points[:, axes], axis=0), axis=1)

    scale = float(changes.scale)
    for axes in (slice(2), slice(2, 3)):
        wanted = scale * lengths(before, axes)
        np.testing.assert_allclose(lengths(moved, axes), wanted, rtol=1e-6, atol=1e-6)


def test_mirrored_landmarks_are_an_involution_that_keeps_the_middle():
    assert sorted(MIRRORED_LANDMARKS) == list(range(68))
    assert (MIRRORED_LANDMARKS[MIRRORED_LANDMARKS] == np.arange(68)).all()
    middle = np.flatnonzero(np.arange(68) == MIRRORED_LANDMARKS)
    assert middle.tolist() == [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]


def test_mirrored_landmarks_fit_the_face_models_symmetry(model):
    mean = model.landmarks.mean
    mirrored = mean[MIRRORED_LANDMARKS] * [-1, 1, 1]
    assert np.linalg.norm(mirrored - mean, axis=1).max() < 3.0  # mm


def test_the_generators_decide_everything(dots):
    landmarks = dots[1].expand(2, 68, 3)
    config = AugmentationConfig()
    first = random_changes(landmarks, 64, config, dice(1, 2)).crop_from_image
    again = random_changes(landmarks, 64, config, dice(2, 3)).crop_from_image
    assert torch.equal(first[1], again[0])
    assert not torch.equal(first[0], again[1])


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
    for crop, matrix, mirror, image in zip(
        drawn(changes, *smooth), matrices, mirrored, smooth, strict=True
    ):
        wanted = resample(image, matrix, SIZE, mirror_outside=reflect)
        wanted = wanted[:, ::-1] if mirror else wanted
        assert np.abs(crop.astype(float) - wanted).mean() < 3.0


def test_each_crop_is_sampled_as_finely_as_it_needs():
    """One picture that shrinks among others that do not."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 240, 240, 3)).astype(np.uint8)
    matrices = np.zeros((3, 2, 3))
    for matrix, scale in zip(matrices, (0.25, 0.6, 1.3), strict=True):
        matrix[0, 0] = matrix[1, 1] = scale
    still = torch.zeros(3, dtype=torch.bool)
    crops = drawn(CropChanges(torch.from_numpy(matrices), SIZE, still, still), *noise)
    for crop, matrix, image in zip(crops, matrices, noise, strict=True):
        assert crop.std() == pytest.approx(resample(image, matrix, SIZE).std(), rel=0.12)


def test_small_crops_are_averages():
    """Stripes of one pixel become grey, as `crop_square` has it, and not stripes of some width."""
    image = np.zeros((200, 200, 3), np.uint8)
    image[:, ::2] = 255
    crop = drawn(fixed(0.25 * np.eye(2)), image)[0, 2:-2, 2:-2].astype(float)
    assert np.abs(crop - 127.5).max() < 8


def test_smaller_pictures_are_mirrored_at_their_own_border(smooth):
    wide, matrix = smooth[0, :40], 0.8 * np.eye(2, 3)
    both = CropChanges(
        torch.from_numpy(np.stack([matrix, matrix])),
        SIZE,
        torch.tensor([False, False]),
        torch.tensor([True, False]),
    )
    mirrored, black = drawn(both, wide, wide)
    wanted = resample(wide, matrix, SIZE, mirror_outside=True)
    assert np.abs(mirrored.astype(float) - wanted).mean() < 3.0
    assert not black[-3:].any()


def test_the_mirror_image_beyond_the_border():
    points = torch.tensor([[[-0.5, 0.5, 10.5, 4.0], [0.5, 9.5, -2.5, 21.0]]])
    found = reflected(points, torch.tensor([[[9.0], [9.0]]]))
    np.testing.assert_allclose(found, [[[1.5, 0.5, 8.5, 4.0], [0.5, 9.5, 3.5, 3.0]]], atol=1e-5)


def test_some_pictures_are_turned_far_out_of_the_upright(dots, neutral):
    landmarks = dots[1].expand(2000, 68, 3)
    config = replace(neutral, rotation_deg=10.0, turned=0.25)
    changes = random_changes(landmarks, 128, config, dice(*range(2000)))
    turns = torch.rad2deg(changes.turn_rad).abs()
    assert turns.max() <= TURNED_DEG + 1e-9
    assert float((turns > 60).double().mean()) == pytest.approx(0.25 * 0.5, abs=0.03)
    points = changes.landmarks(landmarks)[..., :2]  # whatever the turn, their square is the crop
    assert points.min() > 0
    assert points.max() < 128


def test_changes_have_the_ranges_of_the_configuration(dots):
    landmarks = dots[1].expand(4000, 68, 3)
    config = AugmentationConfig(shift=0.2, log_scale=0.2, turned=0.0, rotation_deg=10.0)
    changes = random_changes(landmarks, 64, config, dice(*range(4000)))
    assert float(torch.rad2deg(changes.turn_rad).std()) == pytest.approx(10.0, rel=0.05)
    moved = changes.landmarks(landmarks)[..., :2]
    sides = moved.amax(dim=1) - moved.amin(dim=1)
    logs = torch.log(sides.amax(dim=1) * np.sqrt(2.0) / 64.0)
    assert float(logs.std()) == pytest.approx(0.2, rel=0.05)
    centers = (moved.amax(dim=1) + moved.amin(dim=1)) / 2.0
    shifts = (centers - 32.0) / (sides.amax(dim=1, keepdim=True) * np.sqrt(2.0))
    assert float(shifts.abs().max()) == pytest.approx(0.2, abs=0.01)
    assert float(shifts.std()) == pytest.approx(0.2 / np.sqrt(3.0), rel=0.05)
    assert float(changes.mirrored.double().mean()) == pytest.approx(0.5, abs=0.03)
    assert float(changes.reflect.double().mean()) == pytest.approx(0.3, abs=0.03)
