"""Hair that falls, on heads that the test draws with curtains of known width and length."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from mlanet.geometry import Camera, Mesh, Pose, matrix_from_euler
from mlanet.morphable import load_model
from mlanet.render import PosedHead, composite, render_mesh
from mlanet.texturing import TextureGuide, hair_offsets, long_hair
from mlanet.texturing.hair.curtain import grid_faces
from mlanet.texturing.hair.from_axis import AXIS_Z_MM
from mlanet.texturing.hair.strands import CENTRE_MM

SIZE = 300, 320
SKIN, HAIR = (0.80, 0.62, 0.52), (0.16, 0.11, 0.08)
THICKNESS_MM = 14.0


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def background():
    noise = np.random.default_rng(0).normal(0.0, 6.0, (*SIZE, 3))
    return np.clip(np.array([120, 150, 190]) + noise, 0, 255).astype(np.uint8)


def head_of(model, yaw_deg=0.0):
    rotation = matrix_from_euler(np.radians([0.0, yaw_deg, 0.0]))
    camera = Camera(620.0, (SIZE[1] / 2.0, SIZE[0] / 2.0))
    vertices = model.subdivide(model.shape.mean)
    return PosedHead(model, vertices, Pose(rotation, np.array([0.0, 0.0, 1000.0])), camera)


def curtain(half_width_mm, hem_mm):
    """A ring that is open in front, from above the ears to the hem, seen from both sides."""
    angle, height = np.radians(np.linspace(-125.0, 125.0, 60)), np.linspace(70.0, hem_mm, 20)
    y, around = np.meshgrid(height, angle, indexing="ij")
    x, z = half_width_mm * np.sin(around), AXIS_Z_MM - 90.0 * np.cos(around)
    vertices = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    faces = grid_faces(20, 60)
    both = np.concatenate([faces, faces[:, ::-1] + len(vertices)])
    return np.concatenate([vertices, vertices]), both


def photo_of(head, background, fall=None, hairy=True, beard=False):
    """A picture of the head; `fall` is the half width and the hem of hair, mm."""
    model = head.model
    scalp = TextureGuide.of_model(model).hairy[:, None] * hairy
    away = head.vertices - np.array(CENTRE_MM)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    vertices = head.vertices + THICKNESS_MM * scalp * away
    colors = np.where(scalp > 0.5, HAIR, SKIN)
    if beard:
        colors = np.where(model.region("beard")[:, None] > 0.3, HAIR, colors)
    faces = model.topology.faces
    if fall is not None:
        grown, more = curtain(*fall)
        faces = np.concatenate([faces, more + len(vertices)])
        vertices = np.concatenate([vertices, grown])
        colors = np.concatenate([colors, np.broadcast_to(HAIR, grown.shape)])
    mesh = Mesh(vertices, faces.astype(np.int32), colors.astype(np.float32))
    drawn = composite(render_mesh(mesh, head.pose, head.camera, SIZE), background)
    noise = np.random.default_rng(1).normal(0.0, 3.0, drawn.shape)
    return np.clip(drawn + noise, 0, 255).astype(np.uint8)


def found_in(picture, head):
    texture = np.full((64, 64, 3), np.array(HAIR) * 255.0).astype(np.uint8)
    return long_hair(picture, head, hair_offsets(picture, head), texture)


def visible(found):
    """Vertices of what is not cut out."""
    high, wide = found.texture.shape[:2]
    column, row = found.uv[:, 0] * (wide - 1), (1.0 - found.uv[:, 1]) * (high - 1)
    shown = found.texture[np.rint(row).astype(int), np.rint(column).astype(int), 3] > 127
    return found.vertices[shown]


def in_jacket(picture, head):
    """With dark shoulders and a collar up to the jaw's height, as dark as hair."""
    places = np.array(
        [
            *([-200, -230], [-190, -150], [-75, -118], [-52, -75]),
            *([52, -75], [75, -118], [190, -150], [200, -230]),
        ],
        float,
    )
    points = head.camera.project(head.pose.apply(np.column_stack([places, np.zeros(len(places))])))
    jacket = picture.copy()
    outline = np.rint(points[:, :2]).astype(np.int32)
    cv2.fillPoly(jacket, [outline], (np.array(HAIR) * 255.0).tolist())
    neck = head.camera.project(head.pose.apply(np.array([[0.0, -110.0, 30.0]])))[0, :2]
    cv2.circle(jacket, np.rint(neck).astype(int).tolist(), 18, (np.array(SKIN) * 255).tolist(), -1)
    return jacket


@pytest.mark.parametrize(
    ("fall", "yaw_deg"),
    [
        *(((95.0, -70.0), yaw) for yaw in (0.0, -8.0)),
        *(((120.0, -110.0), yaw) for yaw in (0.0, -15.0, 40.0)),
    ],
)
def test_it_is_as_wide_and_as_long_as_the_photo_shows(model, background, fall, yaw_deg):
    head = head_of(model, yaw_deg)
    found = found_in(photo_of(head, background, fall), head)
    assert found is not None
    vertices = visible(found)
    cells = np.floor(np.degrees(np.arctan2(vertices[:, 0], AXIS_Z_MM - vertices[:, 2])) / 6.0)
    low = np.median([vertices[cells == cell, 1].min() for cell in np.unique(cells)])
    assert low == pytest.approx(fall[1], abs=22.0)
    near = np.abs(vertices[:, 1] + 30.0) < 12.0
    for sign in (-1.0, 1.0):
        wide = (sign * vertices[near, 0]).max()
        assert wide == pytest.approx(fall[0], abs=10.0 if yaw_deg == 0.0 else 18.0)


@pytest.mark.parametrize("yaw_deg", [0.0, 20.0, -45.0])
@pytest.mark.parametrize("kind", ["bald", "short", "beard", "jacket", "beard and jacket"])
def test_there_is_none_without_it(model, background, kind, yaw_deg):
    head = head_of(model, yaw_deg)
    picture = photo_of(head, background, hairy=kind != "bald", beard="beard" in kind)
    if "jacket" in kind:
        picture = in_jacket(picture, head)
    assert found_in(picture, head) is None


@pytest.mark.parametrize("yaw_deg", [0.0, -30.0])
def test_a_dark_wall_is_no_hair(model, yaw_deg):
    head = head_of(model, yaw_deg)
    wall = np.full((*SIZE, 3), np.array(HAIR) * 255.0).astype(np.uint8)
    assert found_in(photo_of(head, wall), head) is None


def test_a_jacket_does_not_hide_it(model, background):
    head = head_of(model)
    found = found_in(in_jacket(photo_of(head, background, (115.0, -110.0)), head), head)
    assert found is not None
    assert found.vertices[:, 1].min() < -90.0


def test_it_covers_the_ears_and_cuts_into_nothing(model, background):
    from scipy.spatial import KDTree

    head = head_of(model)
    picture = photo_of(head, background, (110.0, -120.0))
    found = found_in(picture, head)
    assert found is not None
    skin = model.region("face", "ears", "neck") > 0.3
    normals = model.normals(head.vertices)[skin]
    vertices = visible(found)
    distance, nearest = KDTree(head.vertices[skin]).query(vertices)
    below = (vertices[:, 1] < 40.0) & (distance < 25.0)
    apart = vertices[below] - head.vertices[skin][nearest[below]]
    depth = np.einsum("ni,ni->n", apart, normals[nearest[below]])
    assert (depth > -1.0).mean() > 0.99
    # from the side, it is before the ears
    side = Pose(matrix_from_euler(np.radians([0.0, 90.0, 0.0])), head.pose.translation)
    bare = model.mesh_of(head.vertices)
    seen = render_mesh(Mesh(bare.vertices, bare.faces), side, head.camera, SIZE)
    hung = render_mesh(Mesh(found.vertices, found.faces), side, head.camera, SIZE)
    ears = model.region("ears") > 0.7
    x, y = np.rint(head.camera.project(side.apply(head.vertices[ears]))[:, :2]).astype(int).T
    both = (seen.mask[y, x] > 0) & (hung.mask[y, x] > 0)
    assert both.mean() > 0.8
    assert (hung.depth[y, x][both] <= seen.depth[y, x][both] + 1.0).mean() > 0.97


def test_its_colours_are_the_hairs(model, background):
    head = head_of(model)
    found = found_in(photo_of(head, background, (110.0, -120.0)), head)
    assert found is not None
    assert found.texture.dtype == np.uint8
    assert found.texture.shape == (256, 512, 4)  # readers want powers of two
    colors = found.texture[..., :3]
    outer = colors[: len(colors) * 3 // 4].astype(float).mean(axis=(0, 1))
    np.testing.assert_allclose(outer, np.array(HAIR) * 255.0, atol=12.0)
    assert np.ptp(colors[:100].astype(int), axis=(0, 1)).max() < 110  # no skin, no wall
    np.testing.assert_allclose(np.linalg.norm(found.normals, axis=1), 1.0, atol=1e-5)
    assert found.uv.min() >= 0.0
    assert found.uv.max() <= 1.0


def test_it_is_shown_beside_the_head(model, background):
    head = head_of(model)
    found = found_in(photo_of(head, background, (110.0, -120.0)), head)
    assert found is not None
    skin = np.full((64, 64, 3), np.array(SKIN) * 255.0).astype(np.uint8)
    mesh, texture = found.beside(model.mesh_of(head.vertices), skin)
    picture = render_mesh(mesh, head.pose, head.camera, SIZE, texture=texture).image
    for place, color in (([95.0, -60.0, -10.0], HAIR), ([0.0, 20.0, 110.0], SKIN)):
        x, y = head.camera.project(head.pose.apply(np.array([place])))[0, :2].astype(int)
        np.testing.assert_allclose(picture[y, x], color, atol=0.09)


def test_a_head_behind_the_camera_and_a_model_without_regions_have_none(model, background):
    head = head_of(model)
    behind = replace(head, pose=Pose(head.pose.rotation, np.array([0.0, 0.0, -900.0])))
    assert found_in(background, behind) is None
    assert found_in(background, replace(head, model=replace(model, regions={}))) is None


def test_the_same_picture_gives_the_same_hair(model, background):
    head = head_of(model)
    picture = photo_of(head, background, (110.0, -120.0))
    first, second = found_in(picture, head), found_in(picture, head)
    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.texture, second.texture)


def test_at_its_upper_rim_it_looks_as_the_scalp(model, background):
    head = head_of(model)
    picture = photo_of(head, background, (110.0, -120.0))
    strands = cv2.resize(np.random.default_rng(2).normal(0.0, 25.0, (128, 128, 1)), (256, 256))
    texture = np.clip(np.array([150.0, 90.0, 60.0]) + strands[..., None], 0, 255).astype(np.uint8)
    found = long_hair(picture, head, hair_offsets(picture, head), texture)
    assert found is not None
    behind = found.texture[:, 200:312, :3].astype(float)
    on_scalp = texture.mean(axis=(0, 1))
    np.testing.assert_allclose(behind[:8].mean(axis=(0, 1)), on_scalp, atol=12.0)
    assert behind[:8].mean(axis=2).std() > 8.0
    # far below, the photo's tone
    low = behind[170:200].mean(axis=(0, 1))
    assert np.abs(low - np.array(HAIR) * 255.0).max() < np.abs(low - on_scalp).max()


def test_its_hem_differs_from_strand_to_strand(model, background):
    head = head_of(model)
    found = found_in(photo_of(head, background, (110.0, -120.0)), head)
    assert found is not None
    cover = found.texture[: len(found.texture) * 3 // 4, 150:362, 3] > 127
    assert cover[: len(cover) // 2].all()
    assert not cover[-1].all()
    length = cover.sum(axis=0) * (np.ptp(found.vertices[:, 1]) / (len(found.texture) * 0.8))
    assert 8.0 < np.ptp(length) < 45.0
    assert np.abs(np.diff(length)).mean() > 0.5


def test_its_edges_beside_the_face_end_in_strands(model, background):
    head = head_of(model)
    found = found_in(photo_of(head, background, (110.0, -120.0)), head)
    assert found is not None
    high = len(found.texture)
    outer = found.texture[high // 6 : high // 2, :, 3] > 127
    for side in (outer, outer[:, ::-1]):
        first = np.argmax(side, axis=1)
        assert first.max() < 60
        assert np.ptp(first) > 2
        assert len(np.unique(np.diff(first))) > 2  # no straight line


def test_without_transparency_what_is_cut_out_is_left_out(model, background):
    head = head_of(model)
    found = found_in(photo_of(head, background, (110.0, -120.0)), head)
    assert found is not None
    bare = model.mesh_of(head.vertices)
    mesh, texture = found.beside(bare, np.zeros((64, 64, 3), np.uint8))
    left, whole = (
        np.linalg.norm(
            np.cross(*np.moveaxis(points[faces[:, 1:]] - points[faces[:, :1]], 1, 0)), axis=1
        ).sum()
        for points, faces in (
            (mesh.vertices, mesh.faces[len(bare.faces) :]),
            (found.vertices, found.faces),
        )
    )
    assert 0.5 * whole < left < whole
    assert texture.shape[-1] == 3
