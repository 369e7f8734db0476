import numpy as np
import pytest

from mlanet.image import (
    blend,
    draw_box,
    draw_landmarks,
    draw_points,
    draw_polygon,
    draw_polylines,
)


@pytest.fixture
def canvas():
    return np.zeros((100, 120, 3), dtype=np.uint8)


def test_points_are_discs_about_their_position_and_the_input_stays(canvas):
    out = draw_points(canvas, np.array([[30.25, 40.75], [np.nan, 3.0]]), (255, 0, 0), 5.0)
    assert (canvas == 0).all()
    y, x = np.mgrid[:100, :120] + 0.5
    weight = out[..., 0].astype(float) / 255
    found = np.array([(x * weight).sum(), (y * weight).sum()]) / weight.sum()
    np.testing.assert_allclose(found, [30.25, 40.75], atol=0.15)
    assert weight.sum() == pytest.approx(np.pi * 25, rel=0.3)
    assert len(np.unique(out[..., 0])) > 2  # smooth edge


def test_marks_grow_with_the_picture():
    def share(side):
        blank = np.zeros((side, side, 3), dtype=np.uint8)
        return (draw_points(blank, np.array([[side / 2, side / 2]])) > 0).any(2).mean()

    assert share(3200) == pytest.approx(share(800), rel=0.3)


def test_a_box_outlines_its_edges(canvas):
    out = draw_box(canvas, np.array([20.0, 30.0, 80.0, 90.0]), (0, 255, 0), 1.0)
    assert out[60, 19:21, 1].max() > 100
    assert out[60, 79:81, 1].max() > 100
    assert out[60, 50, 1] == 0
    assert out[29:31, 50, 1].max() > 100


def test_closed_lines_return_to_their_start(canvas):
    corner = [np.array([[10.0, 10.0], [90.0, 10.0], [90.0, 90.0]])]
    assert draw_polylines(canvas, corner)[50, 50].max() == 0
    assert draw_polylines(canvas, corner, closed=True)[50, 50].max() > 0


def test_landmarks_are_drawn_with_points_far_outside_too(canvas):
    points = np.random.default_rng(0).uniform(10, 90, (68, 3))
    points[5] = (1e7, -1e7, 0)
    points[6] = np.nan
    out = draw_landmarks(canvas, points)
    for x, y, _ in points[7:]:
        assert out[int(y), int(x)].max() > 0
    with pytest.raises((ValueError, TypeError), match="68"):
        draw_landmarks(canvas, points[:5])


def test_hidden_landmarks_are_hollow_and_pale():
    x = np.linspace(20.0, 380.0, 68)
    points = np.stack([x, np.full(68, 100.0)], axis=1)
    visible = np.arange(68) < 34
    black = np.zeros((200, 400, 3), np.uint8)
    picture = draw_landmarks(black, points, color=(200, 200, 200), visible=visible)
    full = draw_landmarks(black, points, color=(200, 200, 200), visible=np.ones(68, bool))
    np.testing.assert_array_equal(full, draw_landmarks(black, points, color=(200, 200, 200)))
    np.testing.assert_array_equal(picture[:, :180], full[:, :180])
    assert picture[:, :190].max() == 200
    assert picture[:, 210:].max() == 100
    assert (black == 0).all()


def test_a_polygon_is_filled_and_pictures_blend():
    black = np.zeros((40, 60, 3), np.uint8)
    corners = np.array([[10.0, 5.0], [50.0, 5.0], [50.0, 35.0], [10.0, 35.0]])
    filled = draw_polygon(black, corners, color=(100, 200, 50))
    assert (filled[10:30, 15:45] == [100, 200, 50]).all()
    assert (filled[:3] == 0).all()
    area = filled.sum(axis=(0, 1)) / [100, 200, 50]  # OpenCV paints half the outline's pixels, too
    assert area == pytest.approx(41 * 31, rel=0.05)
    np.testing.assert_array_equal(blend(black, filled, 0.5)[20, 30], [50, 100, 25])
    np.testing.assert_array_equal(draw_polygon(black, np.full((4, 2), np.nan)), black)


def test_lines_through_landmarks_are_as_wide_for_the_face_in_any_picture():
    face = np.random.default_rng(0).uniform(-0.5, 0.5, (68, 2))

    def green(picture_px, face_px):
        blank = np.zeros((picture_px, picture_px, 3), dtype=np.uint8)
        drawn = draw_landmarks(blank, picture_px / 2.0 + face * face_px)
        return (drawn[..., 1] > 127).sum() / face_px**2

    assert green(2000, 900) == pytest.approx(green(1000, 900), rel=0.05)
    assert green(2000, 1800) == pytest.approx(green(2000, 900), rel=0.15)
