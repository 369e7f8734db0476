from types import SimpleNamespace

import numpy as np
import pytest

from mlanet.export import Animation, read_avatar, write_avatar
from mlanet.geometry import matrix_from_euler, viewer_from_camera
from mlanet.morphable import load_model
from mlanet.video.avatar_films import VIEWS, AvatarFilm, Played
from mlanet.video.stage import Stage, studio_light

SIDE = 64
NOTHING = np.zeros(3)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    model = load_model()
    path = tmp_path_factory.mktemp("stage") / "face.glb"
    texture = np.full((8, 8, 3), (255, 0, 0), np.uint8)
    write_avatar(path, model, np.zeros(100), np.zeros(52), texture)
    return Stage(read_avatar(path, model), (SIDE, SIDE))


def turned(yaw_deg):
    return viewer_from_camera(matrix_from_euler(np.radians([0.0, yaw_deg, 0.0])))


def head_in(picture):
    return (picture[..., 0] > 1.5 * picture[..., 2].astype(float) + 20.0).astype(float)


def test_the_head_is_in_the_middle_and_its_neck_reaches_the_lower_edge(stage):
    shown = head_in(stage.draw(np.zeros(52), np.eye(3), NOTHING))
    rows, columns = np.nonzero(shown)
    assert abs(columns.mean() - SIDE / 2) < 1.0
    assert 0.02 * SIDE < rows.min() < 0.15 * SIDE
    assert rows.max() == SIDE - 1
    assert not shown[: SIDE // 2, 0].any()


def test_the_neck_keeps_its_place_and_the_face_goes_with_the_head(stage):
    before = head_in(stage.draw(np.zeros(52), np.eye(3), NOTHING))
    aside = head_in(stage.draw(np.zeros(52), turned(40.0), np.array([500.0, 0.0, 0.0])))
    assert np.abs(before[-1] - aside[-1]).sum() <= 2
    moved = np.nonzero(aside[: SIDE // 2])[1].mean() - np.nonzero(before[: SIDE // 2])[1].mean()
    assert 0.0 < moved < 0.15 * SIDE


def test_the_camera_goes_around_to_the_viewers_right(stage):
    """From there, which is the person's left, the nose points to the left."""
    nose = round(SIDE * 0.65)
    for turn_deg, sign in ((90.0, -1.0), (-90.0, 1.0)):
        shown = head_in(stage.draw(np.zeros(52), np.eye(3), NOTHING, turn_deg))
        assert sign * (np.nonzero(shown[nose])[0].mean() - SIDE / 2) > 0.015 * SIDE


def test_the_light_stays_where_it_is_when_the_camera_turns():
    front, behind = (studio_light(matrix_from_euler(np.radians([0.0, d, 0.0]))) for d in (0, 180))
    assert np.allclose(front[0], behind[0])
    assert np.allclose(front[3], -behind[3], atol=1e-6)  # x
    assert np.allclose(front[1], behind[1], atol=1e-6)  # y


def test_between_keys_is_what_players_show():
    times = np.array([0.5, 1.0])
    rotation = np.stack([np.eye(3), turned(40.0)])
    animation = Animation(
        times, np.array([[0.0], [1.0]]), rotation, np.array([[0.0] * 3, [8.0] * 3])
    )
    played = Played(animation)
    for time, share in ((0.0, 0.0), (0.5, 0.0), (0.75, 0.5), (1.0, 1.0), (9.0, 1.0)):
        weights, turn, offset = played.at(time)
        assert np.allclose(weights, share)
        assert np.allclose(turn, turned(40.0 * share))
        assert np.allclose(offset, 8.0 * share)


def test_frames_are_even_at_the_drivers_rate(stage):
    def times(step, count):
        still = np.broadcast_to(np.eye(3), (count, 3, 3))
        animation = Animation(
            np.arange(count) * step, np.zeros((count, 52)), still, np.zeros((count, 3))
        )
        return AvatarFilm(stage, animation).times_s

    assert np.allclose(times(1 / 24, 13), np.arange(13) / 24)
    assert np.allclose(times(1 / 60, 13), np.arange(7) / 30)
    assert len(times(1.0, 1)) == 1


def test_the_turntable_shows_both_sides():
    turns = [VIEWS["turntable"](t) for t in np.arange(0.0, 8.0, 0.1)]
    assert turns[0] == 0.0
    assert max(turns) > 45.0
    assert min(turns) < -45.0


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 4)], ids=["RGB", "RGBA"])
def test_hair_that_falls_is_seen_and_goes_with_the_head(tmp_path, shape):
    """A green square beside the cheek."""
    model, path = load_model(), tmp_path / "face.glb"
    corners = [[85.0, -20.0, 40.0], [115.0, -20.0, 40.0], [85.0, 20.0, 40.0], [115.0, 20.0, 40.0]]
    hair = SimpleNamespace(
        vertices=np.array(corners),
        normals=np.tile([0.0, 0.0, 1.0], (4, 1)),
        faces=np.array([[0, 1, 2], [1, 3, 2]], dtype=np.int32),
        uv=np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        texture=np.full(shape, [0, 255, 0, 255][: shape[2]], np.uint8),
    )
    texture = np.full((64, 64, 3), (255, 0, 0), np.uint8)
    write_avatar(path, model, np.zeros(100), np.zeros(52), texture, long_hair=hair)
    avatar = read_avatar(path, model)
    stage = Stage(avatar, (SIDE, SIDE))

    def green(yaw_deg):
        picture = stage.draw(np.zeros(52), turned(yaw_deg), NOTHING).astype(float)
        return np.nonzero(picture[..., 1] > 1.3 * picture[..., 0])[1]

    assert 20 < len(green(0.0)) < 80
    assert green(0.0).mean() > 0.7 * SIDE
    assert abs(green(30.0).mean() - green(0.0).mean()) > 2.0
    assert len(avatar.rest) == len(stage.avatar.vertices(np.zeros(52)))
