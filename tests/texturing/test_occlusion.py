import numpy as np

from mlanet.morphable import load_model
from mlanet.render.parts import ear_weights
from mlanet.texturing.occlusion import ambient_light_reaching


def test_ambient_light_is_least_below_the_chin_and_inside_ears():
    model = load_model()
    mean = model.subdivide(model.shape.mean)
    reaching = ambient_light_reaching(model)
    assert reaching.shape == (len(mean),)
    assert (reaching >= 0.0).all()
    assert (reaching <= 1.0).all()
    middle = np.abs(mean[:, 0]) < 15.0
    top = middle & (mean[:, 1] > 90.0)
    below = middle & (mean[:, 1] < -75.0) & (mean[:, 1] > -90.0) & (mean[:, 2] > 40.0)
    below &= mean[:, 2] < 75.0
    ears = ear_weights(model, mean) > 0.9
    assert np.median(reaching[top]) > 0.85
    assert np.median(reaching[below]) < 0.7
    assert np.quantile(reaching[ears], 0.1) < 0.5
    assert np.quantile(reaching[ears], 0.9) > 0.6


def test_the_mirror_image_is_lit_alike():
    model = load_model()
    mean = model.subdivide(model.shape.mean)
    reaching = ambient_light_reaching(model)
    left, right = ((side * mean[:, 0] > 20.0) & (mean[:, 1] > -60.0) for side in (1.0, -1.0))
    assert abs(reaching[left].mean() - reaching[right].mean()) < 0.03
