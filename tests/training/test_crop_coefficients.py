import numpy as np
import pytest
import torch

from mlanet.geometry import Camera, MeshTopology, decode_lighting, decode_pose, landmarks_in_pixels
from mlanet.render import Renderer
from mlanet.synthesis import HeadsConfig, RenderedHeads
from mlanet.training import AugmentationConfig
from mlanet.training.crop_coefficients import crop_coefficients, turned_lighting
from mlanet.training.crops import CropChanges, random_changes
from mlanet.training.dice import Dice

SIDE = 96
ROOM = HeadsConfig(log_scale=0.02, yaw_deg=60.0, unmetered=0.0)


@pytest.fixture(scope="module")
def heads(model):
    return RenderedHeads(model, size=SIDE, count=6, config=ROOM)


def drawn(model, vector, size=SIDE):
    found = model.layout.split(vector)
    renderer = Renderer(MeshTopology(model.base_faces, model.num_base_vertices), (size, size))
    return renderer(
        model.shape(found.identity, found.expression),
        decode_pose(found.rotation, found.translation),
        Camera.of_crop(size),
        decode_lighting(found.lighting),
        albedo=np.clip(model.albedo_mean + model.albedo_basis @ found.albedo, 0.0, 1.0),
    )


def decoded(model, vector, size=SIDE):
    found = model.layout.split(vector)
    pose = decode_pose(found.rotation, found.translation)
    points = model.landmarks(found.identity, found.expression)
    return landmarks_in_pixels(Camera.of_crop(size), pose, points)


def turn(degrees, mirrored=False):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear = np.array([[c, -s], [s, c]])
    middle = np.full(2, SIDE / 2)
    return fixed(np.column_stack([linear, middle - linear @ middle]), SIDE, mirrored)


def fixed(matrix, size, mirrored=False):
    still = torch.tensor([False])
    return CropChanges(torch.from_numpy(matrix)[None], size, torch.tensor([mirrored]), still)


def moved(change, points):
    return change.landmarks(torch.from_numpy(points)[None])[0].numpy()


def follow(vector, square, change, model):
    """By NumPy; `random_crops` does the same with tensors."""
    return crop_coefficients(
        vector.astype(np.float64)[None],
        np.array([square]),
        change.crop_from_image.numpy(),
        change.mirrored.numpy(),
        change.size,
        model,
    )[0]


@pytest.mark.parametrize("change", [turn(0.0, True), turn(35.0), turn(-80.0, True), turn(180.0)])
def test_turns_and_mirror_images_are_exact(model, heads, change):
    for index in range(len(heads)):
        vector = heads[index].coefficients
        changed = follow(vector, (0.0, 0.0, SIDE), change, model)
        expected = moved(change, decoded(model, vector))
        np.testing.assert_allclose(decoded(model, changed), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("change", [turn(0.0, True), turn(90.0), turn(-90.0, True), turn(180.0)])
def test_the_light_turns_with_the_picture(model, heads, change):
    """Quarter turns move pixels onto pixels: the rendering is the moved picture itself."""
    for index in range(3):
        vector = heads[index].coefficients
        before = drawn(model, vector)
        quarter = round(float(torch.rad2deg(change.turn_rad)) / 90.0)
        expected = np.rot90(before.image, -quarter)
        expected = expected[:, ::-1] if bool(change.mirrored) else expected
        found = drawn(model, follow(vector, (0.0, 0.0, SIDE), change, model)).image
        assert before.mask.mean() > 0.2
        assert np.abs(found - expected).mean() < 2e-3


def test_a_wrong_light_would_be_seen(model, heads):
    def apart(vector):
        block = model.layout.slices["lighting"]
        wrong = follow(vector, (0.0, 0.0, SIDE), turn(0.0, True), model)
        wrong[block] = vector[block]
        expected = drawn(model, vector).image[:, ::-1]
        return np.abs(drawn(model, wrong).image - expected).mean()

    assert max(apart(head.coefficients) for head in heads) > 6e-3


def test_turned_light_comes_back():
    light = np.random.default_rng(0).normal(size=27)
    found = turned_lighting(turned_lighting(light, np.array(0.7)), np.array(-0.7))
    np.testing.assert_allclose(found, light, atol=1e-12)
    assert np.abs(turned_lighting(light, 0.7) - light).max() > 0.1


def test_random_changes_are_followed_to_a_fraction_of_a_labels_error(model, heads):
    errors = []
    for index in range(len(heads)):
        vector = heads[index].coefficients
        before = decoded(model, vector)
        for number in range(10):
            own = Dice([np.random.default_rng([index, number])])
            points = torch.from_numpy(before)[None]
            change = random_changes(points, 64, AugmentationConfig(), own)
            after = decoded(model, follow(vector, (0.0, 0.0, SIDE), change, model), 64)
            expected = moved(change, before)
            size = np.sqrt(np.ptp(expected[:, :2], axis=0).prod())
            errors.append(np.linalg.norm((after - expected)[:, :2], axis=1).mean() / size)
    assert np.median(errors) < 0.004
    assert max(errors) < 0.015


def test_a_camera_that_sees_a_part_of_the_picture(model, heads):
    """Coefficients of a square inside a larger picture, as `mlanet label` has them."""
    vector = heads[1].coefficients
    square = (30.0, -12.0, 150.0)
    points = decoded(model, vector) * (150.0 / SIDE) + np.array([30.0, -12.0, 0.0])
    scale = 64.0 / 140.0
    linear = scale * turn(20.0).crop_from_image[0, :, :2].numpy()
    offset = 32.0 - linear @ np.array([105.0, 60.0])
    change = fixed(np.column_stack([linear, offset]), 64)
    found = decoded(model, follow(vector, square, change, model), 64)
    expected = moved(change, points)
    size = np.sqrt(np.ptp(expected[:, :2], axis=0).prod())
    assert np.linalg.norm((found - expected)[:, :2], axis=1).mean() / size < 0.02


def test_tensors_follow_as_arrays_do(model, heads):
    vectors = np.stack([heads[index].coefficients for index in range(6)]).astype(np.float64)
    points = torch.from_numpy(np.stack([decoded(model, vector) for vector in vectors]))
    dice = Dice([np.random.default_rng(number) for number in range(6)])
    changes = random_changes(points, 64, AugmentationConfig(), dice)
    square = (0.0, 0.0, float(SIDE))
    found = crop_coefficients(
        torch.from_numpy(vectors),
        torch.tensor([square]).double().repeat(6, 1),
        changes.crop_from_image,
        changes.mirrored,
        64,
        model,
    )
    assert 0 < int(changes.mirrored.sum()) < 6
    for index in range(6):
        one = fixed(changes.crop_from_image[index].numpy(), 64, bool(changes.mirrored[index]))
        np.testing.assert_allclose(found[index], follow(vectors[index], square, one, model))
