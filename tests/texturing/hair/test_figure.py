"""A person in a photo that the test draws, parted from what is behind."""

import numpy as np
import pytest

from mlanet.geometry import Camera, Pose
from mlanet.morphable import load_model
from mlanet.render import PosedHead, composite, render_mesh, vertex_attributes_to_uv
from mlanet.texturing import HeadFigure, HeadInPhoto, TextureGuide, hair_offsets, head_texture
from mlanet.texturing.hair.strands import CENTRE_MM
from mlanet.texturing.of_head import texture_atlas

SIZE = 240, 260
SKIN, HAIR, WHITE_HAIR = (0.80, 0.62, 0.52), (0.16, 0.11, 0.08), (0.86, 0.85, 0.84)
WALL = (90, 190, 120)


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def head(model):
    camera = Camera(500.0, (SIZE[1] / 2.0, SIZE[0] / 2.0))
    pose = Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 20.0, 900.0]))
    return PosedHead(model, model.subdivide(model.shape.mean), pose, camera)


def photo_of(head, thickness_mm, hair=HAIR, wall=WALL):
    """The head with hair all over its scalp before a wall, and the pixels that are the person."""
    hairy = TextureGuide.of_model(head.model).hairy[:, None]
    away = head.vertices - np.array(CENTRE_MM)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    colors = np.where(hairy > 0.5, hair, SKIN).astype(np.float32)
    mesh = head.model.mesh_of(head.vertices + thickness_mm * hairy * away, colors)
    drawn = render_mesh(mesh, head.pose, head.camera, SIZE)
    behind = np.random.default_rng(0).normal(wall, 5.0, (*SIZE, 3))
    photo = composite(drawn, np.clip(behind, 0, 255).astype(np.uint8))
    return photo, np.abs(photo - np.array(wall, float)).max(axis=-1) > 40.0


@pytest.mark.parametrize("thickness_mm", [0.0, 25.0])
def test_what_is_the_person_is_trusted_and_what_is_behind_is_not(head, thickness_mm):
    photo, person = photo_of(head, thickness_mm)
    figure = HeadFigure.of_photo(photo, head)
    rows, columns = np.mgrid[40:150, 60:200]
    trust = figure.trust(np.stack([columns, rows], axis=-1).reshape(-1, 2) + 0.5)
    trust, person = trust.reshape(rows.shape), person[40:150, 60:200]
    assert trust[~person].max() < 0.3
    assert trust[person].mean() > 0.75


def test_bars_at_the_border_are_not_taken_for_what_is_behind(head):
    """White hair before a bright wall, and black bars that no background resembles."""
    photo, _ = photo_of(head, 12.0, WHITE_HAIR, (205, 208, 212))
    photo[:, :30], photo[:, -30:] = 0, 0
    thick = np.linalg.norm(hair_offsets(photo, head), axis=1)
    assert thick.max() < 22.0


def test_a_head_behind_the_camera_has_no_figure(model, head):
    behind = PosedHead(model, head.vertices, Pose(np.eye(3), -head.pose.translation), head.camera)
    assert HeadFigure.of_photo(np.zeros((*SIZE, 3), np.uint8), behind) is None


def test_hair_takes_no_colour_of_what_is_behind_it(model, head):
    """The hair is thought to be thicker than it is, so that it reaches onto a dark wall."""
    photo, _ = photo_of(head, 5.0, WHITE_HAIR, (20, 100, 40))
    hairy = TextureGuide.of_model(model).hairy
    away = head.vertices - np.array(CENTRE_MM)
    away *= 18.0 * hairy[:, None] / np.linalg.norm(away, axis=1, keepdims=True)
    albedo = np.full((len(hairy), 3), SKIN)
    beside = hairy * (1.0 - model.region("face"))  # the face's own skin stays as photographed
    atlas = texture_atlas(model, 256)
    scalp = vertex_attributes_to_uv(atlas, model.topology.faces, beside[:, None])

    def green(figure):
        seen = HeadInPhoto(photo, head.with_hair(away), (), figure)
        image = head_texture([seen], albedo, 256).image[scalp[..., 0] > 0.95].astype(int)
        return float((image[:, 1] - image[:, 0] > 15).mean())

    assert green(None) > 0.01
    assert green(HeadFigure.of_photo(photo, head)) < 0.002
