import numpy as np
import pytest

from mlanet.errors import ConfigurationError
from mlanet.geometry import Camera, decode_pose, landmarks_in_pixels
from mlanet.image import square_from_landmarks
from mlanet.morphable import AlbedoModel, load_model
from mlanet.synthesis import HeadsConfig, RenderedHeads


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def heads(model):
    return RenderedHeads(model, size=64, count=40, seed=3)


def test_decoded_coefficients_give_the_landmarks(model, heads):
    for index in range(10):
        sample = heads[index]
        found = model.layout.split(sample.coefficients)
        points = model.landmarks(found.identity, found.expression)
        pose = decode_pose(found.rotation, found.translation)
        seen = landmarks_in_pixels(Camera.of_crop(64), pose, points)
        np.testing.assert_array_equal(seen.astype(np.float32), sample.landmarks_px)
        np.testing.assert_allclose(pose.euler_deg, sample.angles_deg)
        np.testing.assert_array_equal(pose.rotation, sample.rotation)


def test_the_seed_and_the_index_decide(model, heads):
    again = RenderedHeads(model, size=64, count=12, seed=3)
    np.testing.assert_array_equal(again[7].image, heads[7].image)
    np.testing.assert_array_equal(again[7].coefficients, heads[7].coefficients)
    other = RenderedHeads(model, size=64, count=12, seed=4)
    assert (other[7].coefficients != heads[7].coefficients).mean() > 0.5
    assert (heads[8].image != heads[7].image).any()


def test_poses_fill_their_ranges_and_faces_are_framed_as_crops_are(model):
    heads = RenderedHeads(model, size=100, config=HeadsConfig(center=0.0, log_scale=0.0))
    angles = []
    for index in range(120):
        found = model.layout.split(heads.coefficients(np.random.default_rng(index)))
        pose = decode_pose(found.rotation, found.translation)
        angles.append(pose.euler_deg)
        points = model.landmarks(found.identity, found.expression)
        seen = landmarks_in_pixels(Camera.of_crop(100), pose, points)
        np.testing.assert_allclose(square_from_landmarks(seen), [0, 0, 100, 100], atol=0.2)
    most = np.abs(angles).max(axis=0)
    assert (most < [30.001, 90.001, 30.001]).all()
    assert (most > [27, 80, 27]).all()


def test_the_face_is_where_the_landmarks_say(model):
    bare = HeadsConfig(hair=0.0, glasses=0.0, occluder=0.0, yaw_deg=20.0)
    heads = RenderedHeads(model, size=64, config=bare)
    sample = heads[0]
    moved = sample.coefficients.copy()
    moved[model.layout.slices["translation"].start] += 0.25
    first, second = (
        heads.draw(model.layout.split(v), np.random.default_rng(1)).astype(float)
        for v in (sample.coefficients, moved)
    )
    x, y = sample.landmarks_px[30, :2].astype(int)
    change = first[y - 4 : y + 4, x - 4 : x + 4] - second[y - 4 : y + 4, x + 12 : x + 20]
    assert np.abs(change).mean() < 12  # noise and perspective


def test_other_albedos_and_photos_are_taken(model):
    photo = np.full((50, 70, 3), [10, 200, 30], np.uint8)
    heads = RenderedHeads(AlbedoModel.load().on(model), size=48, count=9, photos=(photo,))
    assert len(heads) == 9
    assert all(heads[k].coefficients.shape == (heads.model.layout.size,) for k in range(9))
    green = [(np.abs(heads[k].image.astype(int) - [10, 200, 30]).max(-1) < 25) for k in range(9)]
    assert np.mean([mask.mean() > 0.05 for mask in green]) > 0.4
    with pytest.raises(IndexError):
        heads[9]


def test_impossible_ranges_are_refused():
    with pytest.raises(ConfigurationError, match="glasses"):
        HeadsConfig(glasses=1.5)
    with pytest.raises(ConfigurationError, match="yaw_deg"):
        HeadsConfig(yaw_deg=float("nan"))


def test_deviations_of_blocks_are_those_of_training(torch, model):
    from mlanet.training import BlockDeviations

    heads = RenderedHeads(model)
    vectors = np.stack([heads.coefficients(np.random.default_rng(k)) for k in range(400)])
    for name, cut in model.layout.slices.items():
        found = np.sqrt(vectors[:, cut].var(axis=0).mean())
        assert getattr(BlockDeviations(), name) == pytest.approx(found, rel=0.15), name


def test_pictures_in_a_row_show_one_person(model):
    heads = RenderedHeads(model, size=32, count=7, seed=3, config=HeadsConfig(pictures=3))
    samples = [heads[index] for index in range(7)]
    assert [sample.identity for sample in samples] == ["3 0"] * 3 + ["3 1"] * 3 + ["3 2"]
    layout = model.layout
    known = [layout.split(sample.coefficients) for sample in samples]
    for name, alike in (("identity", True), ("albedo", True), ("rotation", False)):
        rows = [getattr(one, name) for one in known]
        assert all((rows[k] == rows[0]).all() == alike for k in (1, 2)), name
        assert (rows[3] != rows[0]).any()
    assert (samples[1].image != samples[0].image).any()
    alone = RenderedHeads(model, size=32, seed=3)
    assert alone[0].identity is None
    with pytest.raises(ConfigurationError, match="pictures"):
        HeadsConfig(pictures=0)
