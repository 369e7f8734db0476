import numpy as np
import pytest

from mlanet.errors import DataError
from mlanet.geometry import MIRRORED_LANDMARKS, angle_between
from mlanet.image import crop_square, square_from_landmarks, transform_points
from mlanet.labelling.answers import CropChange, FaceNetwork, crop_changes
from mlanet.morphable import load_model
from mlanet.synthesis import RenderedHeads

SIZE = 128


def test_points_go_into_a_changed_crop_and_back(rng, turned_heads, seen):
    points = seen(turned_heads(rng, 1))[0]
    changes = crop_changes(points, SIZE, rng)
    assert [change.mirrored for change in changes] == [False, True, False, True]
    for change in changes:
        inside = transform_points(change.crop_from_image, points)
        assert (np.abs(inside - SIZE / 2) < SIZE).all()
        if change.mirrored:
            inside = (np.array([SIZE, 0]) + [-1, 1] * inside)[MIRRORED_LANDMARKS]
        np.testing.assert_allclose(change.in_picture(inside, SIZE), points, atol=1e-9)


def test_the_first_crop_is_the_protocols_and_the_second_its_mirror_image(rng, turned_heads, seen):
    points = seen(turned_heads(rng, 1, 20.0))[0]
    image = rng.integers(0, 255, (120, 130, 3), np.uint8)
    first, second = crop_changes(points, SIZE, rng)[:2]
    expected = crop_square(image, square_from_landmarks(points), SIZE).image
    np.testing.assert_array_equal(first.crop(image, SIZE), expected)
    np.testing.assert_array_equal(second.crop(image, SIZE), expected[:, ::-1])


def test_a_change_moves_the_picture_with_its_points():
    image = np.zeros((40, 40, 3), np.uint8)
    image[10, 20] = 255
    matrix = np.array([[0.0, -2.0, 60.0], [2.0, 0.0, 0.0]])
    crop = CropChange(matrix, True).crop(image, 64)
    y, x = np.argwhere(crop[..., 0] == crop.max()).mean(axis=0) + 0.5
    expected = transform_points(matrix, np.array([20.5, 10.5]))
    np.testing.assert_allclose([64 - x, y], expected, atol=0.6)


def test_the_shipped_network_sees_rendered_heads_alike_from_all_crops(rng):
    model = load_model()
    sample = RenderedHeads(model, size=160, count=1, seed=3)[0]
    network = FaceNetwork.load(None, model)
    points = sample.landmarks_px[:, :2]
    answer = network.answer(sample.image, points, rng)
    size = np.sqrt(np.ptp(points, axis=0).prod())
    assert np.linalg.norm(answer.landmarks_px - points, axis=1).mean() < 0.08 * size
    again = network.answer(sample.image, points + 1.0, np.random.default_rng(9))
    assert np.linalg.norm(answer.landmarks_px - again.landmarks_px, axis=1).mean() < 0.02 * size
    assert angle_between(answer.rotation[None], again.rotation[None])[0] < 0.1


def test_a_network_of_another_face_model_is_refused(monkeypatch):
    from dataclasses import replace

    model = load_model()
    other = replace(model, name="other")
    monkeypatch.setattr("mlanet.labelling.answers.load_model", lambda: other)
    with pytest.raises(DataError, match=f"the face model {model.name}, not other"):
        FaceNetwork.load(None, other)
