from dataclasses import replace

import numpy as np
import pytest

from mlanet.export.lashes import COUNT, LENGTH_MM, WIDTH_MM, Lashes, lashes_of
from mlanet.morphable import closed_lids, load_model


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def lashes(model) -> Lashes:
    found = lashes_of(model)
    assert found is not None
    return found


def head(model, **weights):
    expression = np.zeros(model.layout.expression, np.float32)
    for name, weight in weights.items():
        expression[model.expression_names.index(name)] = weight
    return model.vertices(np.zeros(model.layout.identity, np.float32), expression).astype(float)


def test_they_grow_on_the_upper_lids_and_stick_out(model, lashes):
    vertices, mean = lashes.vertices(head(model)), head(model)
    each = len(vertices) // (2 * COUNT)
    roots, tips = vertices[::each], vertices[each - 1 :: each]
    length = np.linalg.norm(tips - roots, axis=1)
    assert 0.6 * min(LENGTH_MM) < length.min() < length.max() < 1.6 * max(LENGTH_MM)
    for side, centre in enumerate(model.eye_centres(mean)):
        own = slice(side * COUNT, (side + 1) * COUNT)
        assert (roots[own, 1] > centre[1]).all()
        assert (tips[own, 1] > roots[own, 1]).all()
        away = np.linalg.norm(tips[own] - centre, axis=1)
        assert (away > np.linalg.norm(roots[own] - centre, axis=1) + 1.0).all()
        assert np.ptp(roots[own, 0]) > 18.0


def test_strips_taper_to_a_tip_and_are_whole(lashes):
    each = len(lashes.offsets) // (2 * COUNT)
    strip = lashes.offsets[:each]
    assert np.linalg.norm(strip[1] - strip[0]) == pytest.approx(WIDTH_MM, rel=0.01)
    assert np.linalg.norm(strip[3] - strip[2]) < 0.6 * WIDTH_MM
    assert set(lashes.faces.ravel().tolist()) == set(range(len(lashes.offsets)))
    assert np.abs(np.linalg.norm(lashes.normals, axis=1) - 1.0).max() < 1e-5


@pytest.mark.parametrize("amount", [0.5, 1.0])
def test_they_stay_on_lids_that_blink(model, lashes, amount):
    index = [model.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    vertices = lashes.vertices(head(model)) + amount * lashes.moves[index].sum(axis=0)
    lids = head(model, eyeBlinkLeft=amount, eyeBlinkRight=amount)
    each = len(vertices) // (2 * COUNT)
    own = (vertices[::each] + vertices[1::each]) / 2.0
    grown = lashes.roots(lids)[::each]
    assert np.linalg.norm(own - grown, axis=1).max() < 0.05
    tips, roots = vertices[each - 1 :: each], own
    if amount == 1.0:  # they point down a little or ahead, no longer up
        assert np.median(tips[:, 1] - roots[:, 1]) < 1.0
    assert np.linalg.norm(tips - roots, axis=1).min() > 0.5 * min(LENGTH_MM)


def test_other_expressions_leave_them(model, lashes):
    moved = np.abs(lashes.moves).max(axis=(1, 2))
    assert moved[model.expression_names.index("jawOpen")] < 0.05
    left = model.expression_names.index("eyeBlinkLeft")
    half = len(lashes.offsets) // 2
    assert np.abs(lashes.moves[left, :half]).max() > 5.0
    assert np.abs(lashes.moves[left, half:]).max() < 0.05


def test_models_without_blinks_have_none(model):
    other = replace(model, expression_names=tuple(f"mode_{k}" for k in range(52)))
    assert lashes_of(other) is None
    assert closed_lids(other) is None
