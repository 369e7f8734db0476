"""The head's box: which sides are seen, where lines go."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.geometry import Pose, matrix_from_euler
from mlanet.render import AXIS_COLORS, PICTURES
from mlanet.render.pose_box import BOX_SIDES, head_box, sides_towards_camera

BLACK = np.zeros((200, 200, 3), dtype=np.uint8)


def sides(head):
    towards = sides_towards_camera(head.pose.apply(head_box(head)))
    return {name for name, near in towards.items() if near}


def test_the_box_touches_the_head(turned_mean):
    head = turned_mean(0.0, 0.0, 0.0)
    box = head_box(head)
    np.testing.assert_allclose(box.min(axis=0), head.vertices.min(axis=0))
    np.testing.assert_allclose(box.max(axis=0), head.vertices.max(axis=0))


def test_sides_are_counter_clockwise_seen_from_outside():
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    outwards = {
        "right": [-1, 0, 0], "left": [1, 0, 0], "bottom": [0, -1, 0], "top": [0, 1, 0],
        "back": [0, 0, -1], "front": [0, 0, 1],
    }  # fmt: skip
    for name, direction in outwards.items():
        a, b, c, d = corners[list(BOX_SIDES[name])]
        normal = np.cross(b - a, c - a)
        np.testing.assert_allclose(normal / np.linalg.norm(normal), direction)
        np.testing.assert_allclose(a + c, b + d)


@pytest.mark.parametrize(
    ("angles", "seen"),
    [
        ((0, 0, 0), {"front"}),
        ((0, 45, 0), {"front", "left"}),
        ((0, -45, 0), {"front", "right"}),
        ((40, 0, 0), {"front", "bottom"}),
        ((-40, 0, 0), {"front", "top"}),
        ((0, 0, 60), {"front"}),
    ],
)
def test_the_front_is_towards_the_camera(turned_mean, angles, seen):
    assert sides(turned_mean(*angles)) == seen


def test_the_back_is_seen_of_a_head_turned_away(turned_mean):
    head = turned_mean(0.0, 0.0, 0.0)
    away = matrix_from_euler(np.zeros(3)) @ np.diag([-1.0, 1.0, -1.0])
    assert sides(replace(head, pose=Pose(away, head.pose.translation))) == {"back"}


def colored(picture, color):
    return np.argwhere(np.abs(picture.astype(int) - color).max(axis=2) < 12)[:, ::-1]


def test_axes_point_where_the_model_points(turned_mean):
    head = turned_mean(20.0, 40.0, 10.0)
    picture = PICTURES["pose"](BLACK, [head])
    corners = head_box(head)
    start = corners[list(BOX_SIDES["front"])].mean(axis=0)
    for axis, color in enumerate(AXIS_COLORS.values()):
        ends = np.stack([start, start + 40.0 * np.eye(3)[axis]])
        ends = head.camera.project(head.pose.apply(ends))[:, :2]
        direction = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
        points = colored(picture, color) + 0.5 - ends[0]
        assert len(points) > 20
        assert np.median(points @ direction) > 5.0
        assert np.abs(points @ [-direction[1], direction[0]]).max() < 4.0


def test_the_picture_outside_the_box_stays(turned_mean):
    head = turned_mean(0.0, 0.0, 0.0)
    photo = np.full((200, 400, 3), 77, dtype=np.uint8)
    picture = PICTURES["pose"](photo, [head])
    assert (photo == 77).all()
    assert (picture[:, 220:] == 77).all()
    assert (picture[100, 100] != 77).any()


def test_a_head_at_the_camera_has_no_box(turned_mean):
    head = turned_mean(0.0, 0.0, 0.0)
    close = replace(head, pose=Pose(head.pose.rotation, np.array([0.0, 0.0, 60.0])))
    assert (PICTURES["pose"](BLACK, [close]) == 0).all()
