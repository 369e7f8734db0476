import numpy as np

from mlanet.geometry import AMBIENT_WHITE, decode_lighting
from mlanet.synthesis import random_lighting
from mlanet.synthesis.lighting import EXPOSURE, ball_brightness


def test_white_light_shows_a_white_ball_white():
    lighting = np.zeros((9, 3))
    lighting[0] = AMBIENT_WHITE
    np.testing.assert_allclose(ball_brightness(lighting), 1.0, rtol=1e-12)


def test_the_camera_meters_the_light():
    rng = np.random.default_rng(0)
    seen = ball(rng, unmetered=0.0)
    assert abs(np.log(seen.mean() / EXPOSURE)) < 0.02
    assert 0.03 < np.log(seen).std() < 0.1
    assert np.log(seen / seen.mean(axis=1, keepdims=True)).std() < 0.03


def test_unmetered_light_is_darker_or_a_little_brighter():
    stops = np.log2(ball(np.random.default_rng(2), unmetered=1.0).mean(axis=1) / EXPOSURE)
    assert stops.std() > 0.3
    assert -1.5 < stops.min() < -0.8
    assert 0.1 < stops.max() < 0.6


def ball(rng, unmetered):
    lights = (decode_lighting(random_lighting(rng, unmetered)) for _ in range(300))
    return np.stack([ball_brightness(light) for light in lights])


def test_light_has_a_direction():
    rng = np.random.default_rng(1)
    first = np.stack([random_lighting(rng).reshape(9, 3).mean(axis=1)[1:4] for _ in range(300)])
    assert np.quantile(np.linalg.norm(first, axis=1), 0.05) > 0.15
    assert first[:, 1].mean() > 0  # behind the viewer's shoulder rather than behind the head
