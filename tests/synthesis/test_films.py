import numpy as np
import pytest

from mlanet.morphable import load_model
from mlanet.synthesis.films import RenderedFilm, acted, bumps, random_actor


@pytest.fixture(scope="module")
def film():
    model, times_s = load_model(), np.arange(3) / 10.0
    zero = 0.0 * times_s
    angles = np.stack([zero, 100.0 * times_s, zero], axis=1)
    actors = []
    for seed, (x, z) in enumerate(((0.0, 600.0), (60.0, 900.0))):
        place = np.stack([x + zero, zero, z + zero], axis=1)
        expression = acted(model, times_s, {"jawOpen": 5.0 * times_s})
        actors.append(random_actor(model, np.random.default_rng(seed), expression, angles, place))
    return RenderedFilm(model, actors, times_s, size=(90, 120), noise=0.0)


def test_frames_are_made_anew_alike_and_move(film):
    assert film[1].shape == (90, 120, 3)
    assert film[1].dtype == np.uint8
    assert (film[1] == film[1]).all()
    assert (film[0] != film[2]).any()
    with pytest.raises(IndexError):
        film[3]


def test_the_nearer_person_hides_the_farther_one(film):
    alone = RenderedFilm(film.model, film.actors[:1], film.times_s, film.size, noise=0.0)
    nose = np.floor(film.landmarks_px(0)[0, 30, :2]).astype(int)
    assert (film[0][nose[1], nose[0]] == alone[0][nose[1], nose[0]]).all()
    assert (film[0] != alone[0]).any()


def test_landmarks_are_where_the_pose_puts_them(film):
    actor, index = film.actors[1], 2
    points = film.model.landmarks(actor.identity, actor.expression[index])
    seen = points @ actor.pose.rotation[index].T + actor.pose.translation[index]
    x = film.camera.focal_length_px * seen[:, 0] / seen[:, 2] + 60.0
    assert np.allclose(film.landmarks_px(1)[index, :, 0], x)


def test_bumps_rise_to_one_and_end():
    curve = bumps(np.array([0.0, 0.44, 0.5, 0.53, 0.56, 1.0]), [0.5])
    assert np.allclose(curve, [0.0, 0.0, 1.0, 0.5, 0.0, 0.0])
    assert (bumps(np.arange(3.0), []) == 0.0).all()
