import numpy as np

from mlanet.morphable import load_model
from mlanet.synthesis import random_expression
from mlanet.synthesis.expressions import PARTS, _modes


def drawn(count=300, moving=0.5):
    names = load_model().expression_names
    rng = np.random.default_rng(0)
    return names, np.stack([random_expression(names, moving, rng) for _ in range(count)])


def test_amounts_are_weights_and_few_at_once():
    names, amounts = drawn()
    assert amounts.min() >= 0
    assert amounts.max() <= 1
    movements = {_pair(name) for name in names}
    active = [{_pair(names[k]) for k in np.flatnonzero(row)} for row in amounts]
    assert np.mean([len(each) for each in active]) < 0.2 * len(movements)
    assert amounts[:, list(names).index("jawOpen")].max() > 0.9


def test_sides_mostly_agree():
    names, amounts = drawn()
    left, right = (amounts[:, list(names).index(f"eyeBlink{side}")] for side in ("Left", "Right"))
    moving = left + right > 0
    assert 0.4 < np.mean(left[moving] == right[moving]) < 0.7


def test_eyes_move_more_often_than_the_rest_of_the_face():
    names, amounts = drawn(600, moving=0.5)
    looking = [k for k, name in enumerate(names) if name.startswith("eyeLook")]
    jaw = [k for k, name in enumerate(names) if name.startswith("jaw")]
    gaze, mouth = ((amounts[:, part] > 0).any(axis=1).mean() for part in (looking, jaw))
    assert 0.75 < gaze < 0.85
    assert 0.4 < mouth < 0.6


def test_some_faces_wink():
    names, amounts = drawn(1000)
    left, right = (amounts[:, list(names).index(f"eyeBlink{side}")] for side in ("Left", "Right"))
    shut = np.maximum(left, right) == 1
    assert 0.03 < (shut & (np.minimum(left, right) < 0.2)).mean() < 0.1
    assert (shut & (left == right)).any()


def test_a_face_at_rest_and_modes_that_move_nothing():
    _, amounts = drawn(5, moving=0.0)
    assert not amounts.any()
    names, amounts = drawn(300, moving=1.0)
    assert not amounts[:, list(names).index("tongueOut")].any()


def test_every_movement_is_known_to_the_embedded_model():
    places = {name: k for k, name in enumerate(load_model().expression_names)}
    assert all(_modes(name, places) for part in PARTS.values() for name in part)


def test_unknown_names_rest():
    rng = np.random.default_rng(0)
    assert not random_expression(["one", "two"], 1.0, rng).any()


def _pair(name):
    return name.removesuffix("Left").removesuffix("Right")
