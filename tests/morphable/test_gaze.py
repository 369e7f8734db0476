import numpy as np
import pytest

from mlanet.morphable import eye_rotations, load_model

LEFT, RIGHT = 0, 1
X, Y = 0, 1


@pytest.fixture(scope="module")
def model():
    return load_model()


def turned(model, **weights):
    expression = np.zeros((1, model.layout.expression))
    for name, weight in weights.items():
        expression[0, model.expression_names.index(name)] = weight
    return np.degrees(eye_rotations(model, expression)[0])


def test_looks_turn_their_own_eye_where_their_names_say(model):
    """Positive about x is down (y falls at z in front), positive about y is to the left."""
    assert turned(model, eyeLookDownLeft=1.0)[LEFT, X] > 10.0
    assert turned(model, eyeLookUpLeft=1.0)[LEFT, X] < -10.0
    assert turned(model, eyeLookOutLeft=1.0)[LEFT, Y] > 10.0
    assert turned(model, eyeLookInLeft=1.0)[LEFT, Y] < -10.0
    assert turned(model, eyeLookOutRight=1.0)[RIGHT, Y] < -10.0
    assert np.abs(turned(model, eyeLookUpLeft=1.0)[RIGHT]).max() < 1e-6


def test_turns_follow_weights_and_other_expressions_turn_nothing(model):
    full, half = (turned(model, eyeLookUpRight=w)[RIGHT] for w in (1.0, 0.5))
    assert np.allclose(half, 0.5 * full)
    assert np.abs(turned(model, jawOpen=1.0, mouthSmileLeft=1.0, eyeBlinkLeft=1.0)).max() < 1.0


def test_the_eyeballs_points_turn_by_that_angle(model):
    own = model.vertex_parts == model.part_names.index("eye_left")
    mode = model.expression_names.index("eyeLookOutLeft")
    rest = model.shape.mean[own]
    moved = rest + model.shape.expression[own][..., mode]
    front, back = model.eye_poles[0]
    numbers = np.flatnonzero(own)
    axis = [points[numbers == front][0] - points[numbers == back][0] for points in (rest, moved)]
    axis = [each / np.linalg.norm(each) for each in axis]
    angle = np.degrees(np.arccos(axis[0] @ axis[1]))
    assert abs(angle - np.linalg.norm(turned(model, eyeLookOutLeft=1.0)[LEFT])) < 1.0
