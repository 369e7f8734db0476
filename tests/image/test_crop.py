import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlanet.image import (
    Crop,
    crop_square,
    invert_transform,
    square_from_landmarks,
    square_transform,
    transform_points,
)
from mlanet.image.crop import resample

PER_PIXEL = 2


def ramp(height, width):
    """Red grows by 2 for each pixel to the right, green downwards; whole at pixel centres."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([PER_PIXEL * x, PER_PIXEL * y, np.full_like(x, 77.0)], axis=2).astype(np.uint8)


coordinates = st.floats(-500, 500)


@given(coordinates, coordinates, st.floats(5, 2000), st.integers(16, 256))
def test_the_transform_maps_corners_to_corners_and_back(left, top, side, size):
    box = np.array([left, top, left + side, top + side])
    matrix = square_transform(box, size)
    corners = np.array([[left, top], [left + side, top], [left + side, top + side]])
    wanted = np.array([[0, 0], [size, 0], [size, size]])
    np.testing.assert_allclose(transform_points(matrix, corners), wanted, atol=1e-6)
    back = transform_points(invert_transform(matrix), wanted.astype(float))
    np.testing.assert_allclose(back, corners, atol=1e-6)


def test_invert_transform_undoes_a_general_affine_map():
    rng = np.random.default_rng(3)
    matrix, points = rng.normal(size=(2, 3)), rng.normal(size=(4, 7, 2))
    there = transform_points(matrix, points)
    np.testing.assert_allclose(transform_points(invert_transform(matrix), there), points)


@pytest.mark.parametrize(
    "box",
    [[0, 0, 10, 12], [5, 5, 5, 5], [9, 9, 3, 3], [0, 0, np.nan, 3], [0, 0, np.inf, np.inf]],
)
def test_boxes_that_are_no_squares_are_refused(box):
    with pytest.raises(ValueError, match="square"):
        square_transform(np.array(box, dtype=float), 64)


@pytest.mark.parametrize(
    ("left", "top", "side", "size"),
    [
        (20.0, 40.0, 64.0, 64),  # no resampling
        (20.3, 40.7, 64.0, 64),  # a shift below a pixel
        (33.25, 51.5, 30.0, 150),  # enlarged
        (10.6, 14.1, 101.7, 37),  # reduced by an odd factor
        (0.0, 0.0, 120.0, 20),
    ],
)
def test_a_ramp_is_sampled_where_the_convention_says(left, top, side, size):
    crop = crop_square(ramp(124, 120), np.array([left, top, left + side, top + side]), size)
    center = np.arange(size) + 0.5
    expected = np.empty((size, size, 2))
    expected[..., 0] = PER_PIXEL * (left + center * side / size)
    expected[..., 1] = PER_PIXEL * (top + center * side / size)[:, None]
    error = (crop.image[..., :2] - expected)[1:-1, 1:-1]
    # Rounding to whole levels, and a twentieth of a pixel; half a pixel would show as 1.
    assert np.abs(error).max() <= 0.5 + 0.05 * PER_PIXEL


def test_a_crop_of_its_own_size_is_the_picture_itself():
    image = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    crop = crop_square(image, np.array([30.0, 10.0, 94.0, 74.0]), 64)
    np.testing.assert_array_equal(crop.image, image[10:74, 30:94])


def test_whole_factors_average_whole_blocks():
    image = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    crop = crop_square(image, np.array([0.0, 0.0, 128.0, 128.0]), 32)
    blocks = image.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(crop.image - blocks).max() <= 0.5 + 1e-9


@pytest.mark.parametrize("side", [256.0, 300.0, 777.7])
def test_fine_texture_becomes_grey_when_reduced(side):
    y, x = np.mgrid[:800, :800]
    checks = np.repeat((((x + y) % 2) * 255).astype(np.uint8)[..., None], 3, axis=2)
    crop = crop_square(checks, np.array([5.3, 7.1, 5.3 + side, 7.1 + side]), 64)
    assert abs(crop.image.mean() - 127.5) < 2
    assert crop.image.std() < 12


def test_mirrored_pictures_give_mirrored_crops():
    image = np.random.default_rng(5).integers(0, 256, (100, 140, 3), dtype=np.uint8)
    for side, size in ((37.5, 64), (80.25, 40)):
        left, top = 20.25, 8.5
        box = np.array([left, top, left + side, top + side])
        mirrored_box = np.array([140 - left - side, top, 140 - left, top + side])
        there = crop_square(image, box, size).image
        back = crop_square(np.ascontiguousarray(image[:, ::-1]), mirrored_box, size).image
        assert np.abs(there[:, ::-1].astype(int) - back).max() <= 2


def test_outside_of_the_picture_is_black():
    image = np.full((40, 60, 3), 200, dtype=np.uint8)
    crop = crop_square(image, np.array([-20.0, -20.0, 60.0, 60.0]), 80)
    assert (crop.image[:20] == 0).all()
    assert (crop.image[:, :20] == 0).all()
    assert (crop.image[60:] == 0).all()
    assert (crop.image[20:60, 20:] == 200).all()
    far = crop_square(image, np.array([5000.0, 5000.0, 5100.0, 5100.0]), 32)
    assert (far.image == 0).all()


def test_enormous_boxes_stay_affordable():
    image = np.full((3000, 3000, 3), 255, dtype=np.uint8)
    crop = crop_square(image, np.array([-30_000.0, -30_000.0, 30_000.0, 30_000.0]), 120)
    lit = crop.image[..., 0].astype(float).sum() / 255  # 3000 of 60,000 are 6 of 120 pixels
    assert lit == pytest.approx(36, abs=2)


def test_a_marked_pixel_lands_where_its_point_lands():
    image = np.zeros((200, 200, 3), dtype=np.uint8)
    image[120, 90] = 255
    crop = crop_square(image, np.array([60.2, 80.4, 140.2, 160.4]), 240)
    expected = transform_points(crop.crop_from_image, np.array([90.5, 120.5]))
    weight = crop.image[..., 0].astype(float)
    y, x = np.mgrid[:240, :240] + 0.5
    found = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_crops_check_their_shapes():
    with pytest.raises((ValueError, TypeError), match="image"):
        Crop(np.zeros((4, 5, 3), np.uint8), np.eye(3)[:2])
    with pytest.raises((ValueError, TypeError), match="crop_from_image"):
        Crop(np.zeros((4, 4, 3), np.uint8), np.eye(3))
    assert Crop(np.zeros((4, 4, 3), np.uint8), np.eye(3)[:2]).size == 4


def test_square_from_landmarks():
    points = np.array([[10.0, 20.0, 5.0], [110.0, 60.0, -3.0], [50.0, 40.0, 0.0]])
    left, top, right, bottom = square_from_landmarks(points)
    assert (left + right) / 2 == pytest.approx(60)
    assert (top + bottom) / 2 == pytest.approx(40)
    assert right - left == pytest.approx(100 * 2**0.5)
    assert bottom - top == pytest.approx(right - left)


@pytest.mark.parametrize(("side", "size"), [(64, 64), (150, 128), (201, 128), (342, 128), (50, 96)])
def test_boxes_of_whole_pixels_are_cut_as_the_warp_does(side, size):
    noise = np.random.default_rng(1).integers(0, 256, (400, 450, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(noise, (5, 5), 1.0)
    box = np.array([20.0, 30.0, 20.0 + side, 30.0 + side])
    quick = crop_square(image, box, size)
    slow = resample(image, quick.crop_from_image, size)
    error = np.abs(quick.image.astype(int) - slow)
    margin = 1 + size // side
    assert error[margin:-margin, margin:-margin].max() <= 1
    assert error.mean() < 0.5
    np.testing.assert_allclose(quick.square_px, box)


def test_boxes_of_whole_pixels_beyond_the_picture_show_black_there():
    image = np.full((40, 50, 3), 200, dtype=np.uint8)
    crop = crop_square(image, np.array([-20.0, 0.0, 20.0, 40.0]), 40)
    assert crop.image[:, :20].max() == 0
    assert crop.image[:, 20:].min() == 200
