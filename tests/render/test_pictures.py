"""Kinds of pictures: what the colours say."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.geometry import Camera, Pose
from mlanet.render import PICTURES, draw_overlay, draw_picture, render_mesh
from mlanet.render.pictures import DARKEST_DEPTH, normalized_coordinates

BLACK = np.zeros((100, 100, 3), dtype=np.uint8)
MAPS = ("shape", "depth", "normal", "uv", "pncc")


@pytest.fixture(scope="module")
def photo():
    return np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)


def ray_hits(head):
    """Points of the model frame on the ball's front at pixels' centres, and where they are."""
    columns, rows = np.meshgrid(np.arange(100), np.arange(100))
    camera = head.camera
    ray = np.stack(
        [
            (columns + 0.5 - camera.principal_point_px[0]) / camera.focal_length_px,
            (rows + 0.5 - camera.principal_point_px[1]) / camera.focal_length_px,
            np.ones_like(columns, dtype=float),
        ],
        axis=-1,
    )
    centre = head.pose.translation
    a, b, c = (ray**2).sum(-1), ray @ centre, centre @ centre - 100.0**2
    root = b**2 - a * c
    inside = root > 0.1 * root.max()
    depth = (b - np.sqrt(np.maximum(root, 0.0))) / a
    points = (ray * depth[..., None] - centre) @ head.pose.rotation
    return points[inside], inside


@pytest.mark.parametrize("kind", PICTURES)
def test_every_kind_leaves_the_photo_and_what_is_outside(ball, photo, kind):
    before = photo.copy()
    picture = draw_picture(kind, photo, [ball])
    np.testing.assert_array_equal(photo, before)
    assert picture.dtype == np.uint8
    assert picture.shape == photo.shape
    changed = (picture != photo).any(axis=2)
    assert changed.any()
    assert not changed[:10].any()
    assert not changed[:, :10].any()
    assert not changed[90:].any()
    assert not changed[:, 90:].any()


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("where", [[3000.0, 0.0, 1000.0], [0.0, 0.0, -1000.0]])
def test_faces_out_of_sight_change_nothing(ball, photo, kind, where):
    away = replace(ball, pose=Pose(ball.pose.rotation, np.array(where)))
    np.testing.assert_array_equal(draw_picture(kind, photo, [away]), photo)
    np.testing.assert_array_equal(draw_picture(kind, photo, []), photo)


def test_an_unknown_kind_lists_the_known_ones(ball, photo):
    with pytest.raises(ValueError, match=r"no picture 'x-ray'.*overlay, shape.*landmarks"):
        draw_picture("x-ray", photo, [ball])


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_of_another_type_and_broken_heads_are_refused(ball, kind):
    for wrong in (BLACK[..., 0], BLACK.astype(np.float32), BLACK[..., :2]):
        with pytest.raises(RenderError, match="image must be"):
            draw_picture(kind, wrong, [ball])


@pytest.mark.parametrize("kind", [kind for kind in PICTURES if kind != "pose"])
def test_vertices_that_are_not_finite_are_named(ball, kind):
    broken = ball.vertices.copy()
    broken[3, 1] = np.nan
    with pytest.raises(RenderError, match="vertex 3"):
        draw_picture(kind, BLACK, [replace(ball, vertices=broken)])


@pytest.mark.parametrize("kind", MAPS)
def test_maps_are_opaque_inside(ball, photo, kind):
    _, inside = ray_hits(ball)
    over_photo, over_black = (draw_picture(kind, under, [ball]) for under in (photo, BLACK))
    np.testing.assert_array_equal(over_photo[inside], over_black[inside])


def test_depth_is_brightest_in_the_middle_and_falls_outwards(ball):
    picture = draw_picture("depth", BLACK, [ball])
    assert (picture == picture[..., :1]).all()
    points, inside = ray_hits(ball)
    grey = picture[inside][:, 0] / 255.0
    assert grey.max() > 0.99
    row = picture[50, 26:51, 0].astype(int)
    assert (np.diff(row) >= 0).all()
    # Linear in depth: nearest at 900 mm, farthest where rays touch the ball, at 990 mm.
    expected = DARKEST_DEPTH + (1 - DARKEST_DEPTH) * (points[:, 2] - 10.0) / 90.0
    np.testing.assert_allclose(grey, expected, atol=0.03)


def test_normals_of_a_ball_are_its_points(ball):
    picture = draw_picture("normal", BLACK, [ball])
    points, inside = ray_hits(ball)  # a frontal model frame is the viewer's
    np.testing.assert_allclose(picture[inside] / 255.0, 0.5 + 0.5 * points / 100.0, atol=0.03)
    np.testing.assert_allclose(picture[50, 50].astype(int), [128, 128, 255], atol=3)


def test_uv_and_pncc_say_where_on_the_mesh_a_pixel_lies(ball):
    turn = np.array([[0.8, 0.0, 0.6], [0.0, 1.0, 0.0], [-0.6, 0.0, 0.8]])
    turned = replace(ball, pose=Pose(ball.pose.rotation @ turn, ball.pose.translation))
    points, inside = ray_hits(turned)
    uv = draw_picture("uv", BLACK, [turned])[inside] / 255.0
    np.testing.assert_allclose(uv[:, :2], points[:, :2] / 200.0 + 0.5, atol=0.02)
    assert (uv[:, 2] == 0).all()
    pncc = draw_picture("pncc", BLACK, [turned])[inside] / 255.0
    np.testing.assert_allclose(pncc, points / 200.0 + 0.5, atol=0.02)


def test_a_vertex_has_its_own_texture_coordinate(ball):
    shown = ball.normals[:, 2] > 0.5
    place = ball.projected[shown, :2].astype(int)
    picture = draw_picture("uv", BLACK, [ball])[place[:, 1], place[:, 0]] / 255.0
    np.testing.assert_allclose(picture[:, :2], ball.model.uv[shown], atol=0.025)


def test_pncc_does_not_change_with_the_shape(ball):
    code = normalized_coordinates(ball.model)
    assert code.min() == 0.0
    assert code.max() == 1.0
    flat = replace(ball, vertices=ball.vertices * [1.0, 1.0, 0.5])
    round_, flattened = (draw_picture("pncc", BLACK, [head]) for head in (ball, flat))
    np.testing.assert_allclose(flattened[45:55, 45:55], round_[45:55, 45:55].astype(int), atol=4)


def test_shape_is_the_renderers_clay(ball):
    picture = draw_picture("shape", BLACK, [ball])
    mesh = ball.model.mesh(*(np.zeros(1, np.float32) for _ in range(3)))
    clay = render_mesh(
        replace(mesh, vertices=ball.vertices, colors=None), ball.pose, ball.camera, (100, 100)
    ).image
    _, inside = ray_hits(ball)
    np.testing.assert_allclose(picture[inside] / 255.0, clay[inside], atol=0.02)


@pytest.mark.parametrize("kind", [*MAPS, "parts"])
def test_the_nearer_head_is_in_front_in_any_order(ball, kind):
    far = replace(ball, camera=Camera(200.0, (40.0, 50.0)))
    near = replace(ball, camera=Camera(250.0, (60.0, 50.0)))
    both, other = (draw_picture(kind, BLACK, heads) for heads in ([far, near], [near, far]))
    np.testing.assert_array_equal(both, other)
    alone = {"near": draw_picture(kind, BLACK, [near]), "far": draw_picture(kind, BLACK, [far])}
    _, inside = ray_hits(near)
    np.testing.assert_array_equal(both[inside], alone["near"][inside])
    untouched = (alone["near"] == 0).all(axis=2)
    np.testing.assert_array_equal(both[untouched], alone["far"][untouched])
    assert (both[50, 25] != 0).any()


def test_an_overlay_is_as_strong_as_it_is_told(ball):
    white = np.full((100, 100, 3), 255, dtype=np.uint8)
    opaque, none, half = (
        draw_overlay(white, [ball], opacity=opacity, landmarks=False)[50, 50].astype(int)
        for opacity in (1.0, 0.0, 0.5)
    )
    assert (none == 255).all()
    assert half == pytest.approx((opaque + 255) / 2, abs=1)
    clay = draw_picture("shape", white, [ball])[50, 50]
    assert opaque == pytest.approx(clay, abs=3)


def test_an_overlay_ends_softly_where_the_face_ends(turned_mean):
    head = turned_mean(0.0, 80.0, 0.0)
    grey = np.full((200, 200, 3), 90, dtype=np.uint8)
    overlay = draw_overlay(grey, [head], landmarks=False)
    shape = draw_picture("shape", grey, [head])
    changed = (overlay != grey).any(axis=2)
    assert changed.sum() < 0.75 * (shape != grey).any(axis=2).sum()  # no ear, no neck
    outside = changed & (shape == grey).all(axis=2)
    assert outside.sum() < 20  # outlines from one sample in a pixel, and from nine


def test_hidden_landmarks_are_paler(turned_mean):
    head = turned_mean(0.0, 80.0, 0.0)
    grey = np.full((200, 200, 3), 40, dtype=np.uint8)
    picture = draw_picture("landmarks", grey, [head])
    green = picture[..., 1].astype(int)
    jaw = head.landmarks[:17, :2].astype(int)
    visible = head.visible_landmarks()[:17]
    assert visible.any()
    assert not visible.all()

    def strongest(points):
        return np.array([green[y - 1 : y + 2, x - 1 : x + 2].max() for x, y in points])

    near, far = strongest(jaw[visible]), strongest(jaw[~visible][:4])
    assert np.median(near) > 180
    assert far.max() < np.median(near) - 40
