import numpy as np
import pytest

from mlanet import Reconstructor
from mlanet.morphable import AlbedoModel
from mlanet.synthesis.films import RenderedFilm, acted, bumps, random_actor


@pytest.fixture(scope="session")
def reconstructor():
    return Reconstructor.load(threads=1)


@pytest.fixture(scope="session")
def model(reconstructor):
    return AlbedoModel.load().on(reconstructor.model)


@pytest.fixture(scope="session")
def talking(model):
    """One person who turns, talks and blinks: 24 frames of which some come late."""
    times_s = np.arange(24) / 24.0 + np.where(np.arange(24) > 11, 0.2, 0.0)
    rng = np.random.default_rng(5)
    blink = bumps(times_s, [0.3])
    curves = {"jawOpen": 0.3 - 0.3 * np.cos(6.0 * times_s)}
    curves |= {"eyeBlinkLeft": blink, "eyeBlinkRight": blink}
    zero = 0.0 * times_s
    angles = np.stack([zero, 20.0 * np.sin(3.0 * times_s), 5.0 * np.sin(2.0 * times_s)], axis=1)
    place = np.stack([60.0 * times_s, zero, 700.0 + zero], axis=1)
    actor = random_actor(model, rng, acted(model, times_s, curves), angles, place)
    return RenderedFilm(model, (actor,), times_s, seed=5)


@pytest.fixture(scope="session")
def crossing(model):
    """Two people of whom one walks behind the other: 30 frames in 2 s."""
    times_s = np.arange(30) / 15.0
    rng = np.random.default_rng(4)
    actors = []
    for depth, side in ((900.0, 1.0), (1150.0, -1.0)):
        zero = 0.0 * times_s
        angles = np.stack([zero, 10.0 * np.sin(times_s + depth), zero], axis=1)
        x = side * 180.0 * np.cos(np.pi * times_s / 2.0)
        place = np.stack([x, zero, depth + zero], axis=1)
        actors.append(random_actor(model, rng, acted(model, times_s, {}), angles, place))
    return RenderedFilm(model, actors, times_s, seed=4)
