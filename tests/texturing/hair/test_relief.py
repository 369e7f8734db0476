"""Hair's thickness from the outline of heads that the test draws with hair of a known one."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.geometry import Camera, Pose, matrix_from_euler
from mlanet.morphable import load_model
from mlanet.render import PosedHead, composite, render_mesh
from mlanet.texturing import TextureGuide, hair_offsets
from mlanet.texturing.hair.strands import CENTRE_MM, from_crown

SIZE = 240, 260
SKIN, HAIR = (0.80, 0.62, 0.52), (0.16, 0.11, 0.08)


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def scalp(model):
    """How far each vertex is scalp, and its direction from the middle of the head."""
    hairy = TextureGuide.of_model(model).hairy
    away = model.subdivide(model.shape.mean) - np.array(CENTRE_MM)
    return hairy, away / np.linalg.norm(away, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def background():
    noise = np.random.default_rng(0).normal(0.0, 6.0, (*SIZE, 3))
    return np.clip(np.array([120, 150, 190]) + noise, 0, 255).astype(np.uint8)


def head_of(model, yaw_deg=0.0, right_mm=0.0, up_mm=0.0):
    rotation = matrix_from_euler(np.radians([0.0, yaw_deg, 0.0]))
    place = np.array([right_mm, 20.0 - up_mm, 900.0])
    camera = Camera(500.0, (SIZE[1] / 2.0, SIZE[0] / 2.0))
    return PosedHead(model, model.subdivide(model.shape.mean), Pose(rotation, place), camera)


def photo_of(head, thickness_mm, scalp, background):
    """A picture of the head with hair all over its scalp."""
    hairy, away = scalp
    vertices = head.vertices + thickness_mm * hairy[:, None] * away
    colors = np.where(hairy[:, None] > 0.5, HAIR, SKIN).astype(np.float32)
    mesh = head.model.mesh_of(vertices, colors)
    return composite(render_mesh(mesh, head.pose, head.camera, SIZE), background)


def on_top(scalp):
    """Vertices well above the hairline, of the upper half."""
    hairy, away = scalp
    return (hairy > 0.99) & (away[:, 1] > 0.4)


@pytest.mark.parametrize("yaw_deg", [0.0, -40.0, 75.0])
@pytest.mark.parametrize("thickness_mm", [12.0, 30.0])
def test_hair_is_as_thick_as_its_outline_shows(model, scalp, background, thickness_mm, yaw_deg):
    head = head_of(model, yaw_deg)
    offsets = hair_offsets(photo_of(head, thickness_mm, scalp, background), head)
    found = np.linalg.norm(offsets[on_top(scalp)], axis=1)
    assert np.median(found) == pytest.approx(thickness_mm, abs=2.0 + 0.12 * thickness_mm)
    assert np.quantile(found, 0.03) > 0.4 * thickness_mm
    assert found.max() < thickness_mm + 6.0


def test_it_grows_on_the_scalp_alone_and_outwards(model, scalp, background):
    head = head_of(model)
    offsets = hair_offsets(photo_of(head, 25.0, scalp, background), head)
    hairy, away = scalp
    assert not offsets[hairy == 0.0].any()
    assert (np.einsum("vi,vi->v", offsets, away)[hairy > 0.5] >= 0.0).all()
    seen = model.landmark_faces[17:]
    assert not offsets[np.unique(model.base_faces[seen])].any()


def test_bald_heads_stay_as_they_are(model, scalp, background):
    head = head_of(model)
    offsets = hair_offsets(photo_of(head, 0.0, scalp, background), head)
    assert np.abs(offsets).max() < 3.0


def test_hair_on_one_side_of_the_parting_is_not_on_the_other(model, scalp, background):
    head = head_of(model)
    left = np.where(scalp[1][:, :1] > 0.0, 1.0, 0.3)
    picture = photo_of(head, 20.0, (scalp[0], scalp[1] * left), background)
    found = np.linalg.norm(hair_offsets(picture, head), axis=1)
    side = (scalp[0] > 0.9) & (np.abs(scalp[1][:, 0]) > 0.5)
    thick, thin = (found[side & (scalp[1][:, 0] * sign > 0.0)].mean() for sign in (1.0, -1.0))
    assert thick > thin + 6.0


def test_what_leans_against_the_head_is_no_hair(model, scalp, background):
    head = head_of(model)
    picture = photo_of(head, 4.0, scalp, background)
    column = int(head.projected[:, 0].max())
    picture[:, column : column + 14] = np.uint8(np.array(HAIR) * 255)
    found = np.linalg.norm(hair_offsets(picture, head)[on_top(scalp)], axis=1)
    assert found.max() < 20.0


def test_hair_that_looks_like_what_is_behind_it_is_not_known(model, scalp):
    head = head_of(model)
    wall = np.full((*SIZE, 3), np.array(HAIR) * 255.0).astype(np.uint8)
    found = np.linalg.norm(hair_offsets(photo_of(head, 25.0, scalp, wall), head), axis=1)
    assert found[on_top(scalp)].max() < 10.0


@pytest.mark.parametrize("place", [{"up_mm": 320.0}, {"right_mm": 2000.0}])
def test_a_scalp_outside_the_picture_has_none(model, scalp, background, place):
    head = head_of(model, **place)
    assert not hair_offsets(photo_of(head, 25.0, scalp, background), head).any()


def test_a_head_behind_the_camera_and_a_model_without_regions_have_none(model, background):
    head = head_of(model)
    behind = replace(head, pose=Pose(head.pose.rotation, np.array([0.0, 0.0, -900.0])))
    assert not hair_offsets(background, behind).any()
    assert not hair_offsets(background, replace(head, model=replace(model, regions={}))).any()


def test_the_same_picture_gives_the_same_hair(model, scalp, background):
    head = head_of(model)
    picture = photo_of(head, 18.0, scalp, background)
    np.testing.assert_array_equal(hair_offsets(picture, head), hair_offsets(picture, head))


@pytest.mark.parametrize("thickness_mm", [12.0, 30.0])
def test_it_rises_gently_from_the_forehead(model, scalp, background, thickness_mm):
    head = head_of(model)
    found = hair_offsets(photo_of(head, thickness_mm, scalp, background), head)
    stands_off = np.linalg.norm(found, axis=1)
    corners = model.topology.faces
    first, second = np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]]]).T
    apart = np.linalg.norm(head.vertices[first] - head.vertices[second], axis=1)
    before = (head.vertices[first, 2] > 50.0) & (apart > 2.0)
    slope = np.abs(stands_off[first] - stands_off[second])[before] / apart[before]
    assert slope.max() < 2.8  # a ledge of full thickness was 5


def test_locks_run_from_the_crown(model, scalp, background):
    head = head_of(model)
    found = np.linalg.norm(hair_offsets(photo_of(head, 20.0, scalp, background), head), axis=1)
    on_ball = head.vertices - np.array(CENTRE_MM)
    around, down = from_crown(on_ball)
    side = (scalp[0] > 0.99) & (np.abs(down - 0.35) < 0.1)
    first, second = np.concatenate(
        [model.topology.faces[:, [0, 1]], model.topology.faces[:, [1, 2]]]
    ).T
    both = side[first] & side[second]
    first, second = first[both], second[both]
    turned = np.pi * np.minimum(np.abs(around[first] - around[second]) * 2.0, 1.0)
    lower = np.pi * np.abs(down[first] - down[second])
    steps = np.abs(found[first] - found[second])
    across, along = turned > 4.0 * lower, lower > 4.0 * turned
    assert (steps / turned)[across].mean() > 1.5 * (steps / lower)[along].mean()
