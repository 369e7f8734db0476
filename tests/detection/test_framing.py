import numpy as np
import pytest

from mlanet.assets import verified_path
from mlanet.detection import CenterFace, Detection, square_from_detection, turns_to_upright
from mlanet.geometry import turn_points_back
from mlanet.image import crop_square, read_image, square_transform, transform_points

BOX = np.array([100.0, 200.0, 180.0, 310.0])
POINTS = np.array([[122.0, 242.0], [160.0, 242.0], [140.0, 265.0], [125.0, 284.0], [157.0, 284.0]])

FRONTAL = np.array([[42.2, 35.3], [78.6, 35.1], [60.9, 54.9], [45.8, 73.6], [75.4, 73.6]])
"""Mean of the five points in 1,468 AFLW training crops (120 pixels) turned by less than 8 deg."""


def center(box):
    return (box[:2] + box[2:]) / 2


def test_the_square_is_centred_a_little_below_the_box():
    square = square_from_detection(Detection(BOX, POINTS, 0.9))
    square_transform(square, 120)  # refuses what is not square
    np.testing.assert_allclose(center(square) - center(BOX), [0, 0.24 * 42], atol=0.05)
    assert square[2] - square[0] == pytest.approx(3 * (42**2 + 0.2 * 38**2) ** 0.5)


def test_it_moves_grows_and_turns_with_the_face():
    one = square_from_detection(Detection(BOX, POINTS, 0.9))
    moved = Detection(BOX * 2 + 7, POINTS * 2 + 7, 0.9)
    np.testing.assert_allclose(square_from_detection(moved), one * 2 + 7)
    turned = Detection(np.array([-310.0, 100.0, -200.0, 180.0]), POINTS[:, ::-1] * (-1, 1), 0.9)
    square = square_from_detection(turned)
    np.testing.assert_allclose(center(square), center(one)[::-1] * (-1, 1))
    assert square[2] - square[0] == pytest.approx(one[2] - one[0])


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("roll_deg", [-40, 0, 40])
def test_the_turn_brings_eyes_above_the_mouth(turns, roll_deg):
    angle = np.radians(roll_deg)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rolled = (POINTS - POINTS.mean(axis=0)) @ turn.T + 200
    assert turns_to_upright(Detection(BOX, rolled, 0.9)) == 0
    lying = turn_points_back(rolled, (400, 400), turns)  # what rot90 would make upright
    assert turns_to_upright(Detection(BOX, lying, 0.9)) == turns


def test_coinciding_points_are_refused():
    with pytest.raises(ValueError, match="coincide"):
        square_from_detection(Detection(BOX, np.full((5, 2), 130.0), 0.9))


def test_the_astronauts_crop_shows_her_face_as_the_training_crops_do():
    image = read_image(verified_path("example-image"))
    (found,) = CenterFace.load()(image)
    crop = crop_square(image, square_from_detection(found), 120)
    eyes_nose_mouth = transform_points(crop.crop_from_image, found.landmarks_px)
    assert np.abs(eyes_nose_mouth - FRONTAL).max() < 4
