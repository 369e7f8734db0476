"""Heads in pictures: order and hidden landmarks."""

from dataclasses import replace

import numpy as np

from mlanet.geometry import Camera, Pose, landmarks_in_pixels
from mlanet.render import far_to_near


def test_landmarks_are_those_of_the_landmark_model(turned_mean):
    head = turned_mean(10.0, 30.0, -5.0)
    layout = head.model.layout
    zero = np.zeros(layout.identity, np.float32), np.zeros(layout.expression, np.float32)
    expected = landmarks_in_pixels(head.camera, head.pose, head.model.landmarks(*zero))
    np.testing.assert_allclose(head.landmarks[:, :2], expected[:, :2], atol=1e-3)


def test_landmarks_on_the_far_side_are_hidden(ball):
    visible = ball.visible_landmarks()
    assert visible[:34].all()
    assert not visible[34:].any()


def test_all_landmarks_of_a_frontal_face_are_visible(turned_mean):
    assert turned_mean(0.0, 0.0, 0.0).visible_landmarks().all()


def test_profiles_hide_the_far_side_of_the_face(turned_mean):
    # Positive yaw turns to the subject's right: the right eye and jaw are the far ones.
    right, left = list(range(36, 42)), list(range(42, 48))
    visible = turned_mean(0.0, 75.0, 0.0).visible_landmarks()
    assert not visible[right].any()
    assert visible[left].all()
    assert not visible[:5].any()
    visible = turned_mean(0.0, -75.0, 0.0).visible_landmarks()
    assert visible[right].all()
    assert not visible[left].any()


def test_visibility_does_not_depend_on_the_pictures_scale(turned_mean):
    head = turned_mean(0.0, 50.0, 0.0)
    small = replace(head, camera=Camera(45.0, (-300.0, 5.0)))
    np.testing.assert_array_equal(small.visible_landmarks(), head.visible_landmarks())


def test_nothing_is_visible_at_or_behind_the_camera(ball):
    for depth in (50.0, 0.0, -1000.0):
        pose = Pose(ball.pose.rotation, np.array([0.0, 0.0, depth]))
        head = replace(ball, pose=pose)
        assert not head.visible_landmarks().any()
        behind = head.pose.apply(np.array([[0.0, 0.0, 100.0], [0.0, 0.0, -100.0]]))[:, 2] < 0
        finite = np.isfinite(head.landmarks).all(axis=1)
        assert finite[:34].all() == (not behind[0])
        assert finite[34:].all() == (not behind[1])


def test_order_follows_the_apparent_size_and_not_the_depth(ball):
    farther = Pose(ball.pose.rotation, np.array([0.0, 0.0, 2000.0]))
    zoomed = replace(ball, pose=farther, camera=Camera(1000.0, (50.0, 50.0)))
    assert far_to_near([zoomed, ball]) == [ball, zoomed]
    assert far_to_near([ball, replace(ball, pose=farther)])[1] is ball
