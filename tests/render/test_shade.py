import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.geometry import AMBIENT_WHITE, Camera, Mesh, MeshTopology, Pose
from mlanet.render import (
    composite,
    interpolate,
    key_light,
    rasterize,
    render_mesh,
    sample_image,
    shade,
    viewer_normals,
)

AMBIENT = np.zeros((9, 3), dtype=np.float32)
AMBIENT[0] = AMBIENT_WHITE


def test_interpolation_is_linear_in_a_flat_triangle():
    vertices = np.array([[-5, -5, 2.0], [30, -5, 2.0], [-5, 30, 2.0]])
    faces = np.array([[0, 1, 2]])
    fragments = rasterize(vertices, faces, (10, 12))
    found = interpolate(fragments, faces, vertices)
    rows, columns = np.indices((10, 12))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], columns + 0.5, atol=1e-4)
    np.testing.assert_allclose(found[..., 1], rows + 0.5, atol=1e-4)


def test_interpolation_rejects_other_meshes():
    vertices = np.array([[-5, -5, 2.0], [30, -5, 2.0], [-5, 30, 2.0]])
    fragments = rasterize(vertices, np.array([[0, 1, 2], [2, 1, 0]])[[1]], (10, 12))
    with pytest.raises(RenderError, match="faces must index 2 attributes"):
        interpolate(fragments, np.array([[0, 1, 2]]), np.ones((2, 3)))
    with pytest.raises(RenderError, match="more triangles"):
        interpolate(fragments, np.zeros((0, 3), dtype=np.int32), np.ones((2, 3)))


def test_normals_are_in_the_viewers_frame(sphere, frontal):
    topology = MeshTopology(sphere.faces, len(sphere.vertices))
    normals = viewer_normals(frontal.apply(sphere.vertices), topology)
    np.testing.assert_allclose(normals, sphere.vertices / 100.0, atol=0.02)


def test_light_from_the_right_brightens_the_right(sphere, frontal):
    lighting = AMBIENT.copy()
    lighting[3, 0] = 1.0
    topology = MeshTopology(sphere.faces, len(sphere.vertices))
    albedo = np.full_like(sphere.vertices, 0.5)
    lit = shade(albedo, viewer_normals(frontal.apply(sphere.vertices), topology), lighting)
    slope = 2.0 / 3.0 * np.sqrt(3.0 / (4.0 * np.pi)) / 100.0
    np.testing.assert_allclose(lit[:, 0], 0.5 * (1.0 + slope * sphere.vertices[:, 0]), atol=5e-3)
    np.testing.assert_allclose(lit[:, 1:], 0.5, atol=1e-6)


def test_sphere_has_its_size_place_and_colour(sphere, frontal, camera):
    rendering = render_mesh(sphere, frontal, camera, (100, 100), AMBIENT)
    # The outline of a sphere is the cone that touches it.
    radius = 250.0 * 100.0 / np.sqrt(1000.0**2 - 100.0**2)
    assert rendering.mask.sum() == pytest.approx(np.pi * radius**2, rel=0.01)
    rows, columns = np.nonzero(rendering.mask)
    assert (rows.mean(), columns.mean()) == pytest.approx((49.5, 49.5), abs=0.05)
    assert rendering.depth[50, 50] == pytest.approx(900.0, abs=1.0)
    # Colours are positions: the subject's left (+x) is at the right, up (+y) at the top.
    np.testing.assert_allclose(rendering.image[50, 50], [0.5, 0.5, 0.9], atol=0.02)
    assert rendering.image[50, 70, 0] > 0.7
    assert rendering.image[30, 50, 1] > 0.7
    outside = rendering.mask == 0
    assert not rendering.image[outside].any()
    assert not rendering.depth[outside].any()


def test_antialiasing_only_softens_the_outline(sphere, frontal, camera):
    hard = render_mesh(sphere, frontal, camera, (100, 100), AMBIENT, soft_outlines=False)
    soft = render_mesh(sphere, frontal, camera, (100, 100), AMBIENT)
    np.testing.assert_allclose(hard.mask, hard.mask > 0, atol=1e-6)
    partial = (soft.mask > 0) & (soft.mask < 1 - 1e-6)
    assert 40 < partial.sum() < 250
    inside = soft.mask > 1 - 1e-6
    np.testing.assert_allclose(soft.image[inside], hard.image[inside], atol=0.02)
    np.testing.assert_allclose(soft.depth[inside], hard.depth[inside], atol=15.0)


def test_a_part_of_a_large_picture_is_the_same_picture(sphere, frontal, camera):
    small = render_mesh(sphere, frontal, camera, (100, 100))
    shifted = Camera(250.0, (1050.0, 350.0))
    large = render_mesh(sphere, frontal, shifted, (700, 1800))
    part = slice(300, 400), slice(1000, 1100)
    np.testing.assert_allclose(large.image[part], small.image, atol=1e-5)
    np.testing.assert_allclose(large.mask[part], small.mask, atol=1e-5)
    np.testing.assert_allclose(large.mask.sum(), small.mask.sum(), rtol=1e-6)
    left, top, right, bottom = large.box_px
    assert (right - left, bottom - top) == (54, 54)


def test_off_screen_and_behind_are_empty(sphere, camera):
    turn = np.diag([1.0, -1.0, -1.0])
    for translation in ([0.0, 0.0, -1000.0], [5000.0, 0.0, 1000.0]):
        rendering = render_mesh(sphere, Pose(turn, np.array(translation)), camera, (100, 100))
        assert not rendering.mask.any()
        background = np.full((100, 100, 3), 7, dtype=np.uint8)
        np.testing.assert_array_equal(composite(rendering, background), background)


def test_clay_is_lit_from_above(sphere, frontal, camera):
    clay = render_mesh(Mesh(sphere.vertices, sphere.faces), frontal, camera, (100, 100))
    assert clay.image[35, 55].mean() > 0.8
    assert 0.2 < clay.image[65, 40].mean() < 0.6
    assert key_light().shape == (9, 3)


def test_texture_is_the_right_way_up(plane, frontal, camera):
    texture = np.zeros((64, 64, 3), dtype=np.uint8)
    texture[:32, 32:] = [255, 0, 0]  # v > 1/2, u > 1/2
    texture[32:, :32] = [0, 255, 0]
    rendering = render_mesh(plane, frontal, camera, (100, 100), texture=texture)
    np.testing.assert_allclose(rendering.image[35, 65], [1.0, 0.0, 0.0], atol=0.01)
    np.testing.assert_allclose(rendering.image[65, 35], [0.0, 1.0, 0.0], atol=0.01)
    half = render_mesh(plane, frontal, camera, (100, 100), AMBIENT * 0.5, texture=texture)
    np.testing.assert_allclose(half.image[35, 65], [0.5, 0.0, 0.0], atol=0.01)
    bare = Mesh(plane.vertices, plane.faces)
    with pytest.raises(RenderError, match="texture needs uv"):
        render_mesh(bare, frontal, camera, (100, 100), texture=texture)


def test_composite_mixes_by_opacity(sphere, frontal, camera):
    rendering = render_mesh(sphere, frontal, camera, (100, 100), AMBIENT)
    background = np.full((100, 100, 3), 100, dtype=np.uint8)
    mixed = composite(rendering, background, opacity=0.5)
    assert mixed.dtype == np.uint8
    expected = 50.0 + 0.5 * 255.0 * rendering.image[50, 50]
    np.testing.assert_allclose(mixed[50, 50], expected, atol=0.51)
    np.testing.assert_array_equal(mixed[0, 0], 100)
    floats = composite(rendering, np.full((100, 100, 3), 0.25, dtype=np.float32))
    np.testing.assert_allclose(floats[50, 50], rendering.image[50, 50], atol=1e-6)
    with pytest.raises(RenderError, match="background must be"):
        composite(rendering, background[:50])


def test_sampling_keeps_positions_and_averages_fine_detail():
    ramp = np.tile(np.arange(64, dtype=np.float32)[None, :, None] + 0.5, (64, 1, 1))
    where = np.array([[[10.0, 5.0], [33.25, 60.0], [0.5, 0.5]]])
    np.testing.assert_allclose(sample_image(ramp, where)[0, :, 0], where[0, :, 0], atol=0.05)
    np.testing.assert_allclose(sample_image(ramp, where, 4.0)[0, :2, 0], where[0, :2, 0], atol=0.3)
    checker = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)[..., None]
    np.testing.assert_allclose(sample_image(checker, where, 4.0), 127.5, atol=1.0)
