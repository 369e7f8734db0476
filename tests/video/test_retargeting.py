import numpy as np
import pytest

from mlanet.errors import UsageError
from mlanet.export import Animation
from mlanet.geometry import angle_between, matrix_from_euler, viewer_from_camera
from mlanet.video.livelink import WEIGHTS
from mlanet.video.retargeting import neutral_at, retargeted, usual_neutral

TIMES = np.arange(90) / 30.0
REST = viewer_from_camera(matrix_from_euler(np.array([0.2, -0.3, 0.05])))


def performance(**curves):
    """Of weights that are named; the head turns about where it rests."""
    expression = np.zeros((len(TIMES), len(WEIGHTS)))
    for name, curve in curves.items():
        expression[:, WEIGHTS.index(name)] = curve
    zero = 0.0 * TIMES
    turns = matrix_from_euler(np.stack([zero, 0.4 * np.sin(2.0 * np.pi * TIMES), zero], axis=1))
    offsets = np.stack([30.0 * np.sin(5.0 * TIMES) + 100.0, zero, zero], axis=1)
    return Animation(TIMES, expression, REST @ viewer_from_camera(turns), offsets)


def curve_of(animation, name):
    return animation.expression[:, WEIGHTS.index(name)]


def carried(driver):
    return retargeted(driver, WEIGHTS, usual_neutral(driver, WEIGHTS))


def test_what_a_face_shows_at_rest_is_taken_away_and_what_it_does_stays():
    blink = np.where(np.abs(TIMES - 1.0) < 0.07, 1.0, 0.25)
    found = carried(performance(eyeBlinkLeft=blink, browDownLeft=0.3))
    closed = curve_of(found, "eyeBlinkLeft")
    assert np.allclose(closed[blink == 1.0], 1.0)
    assert np.allclose(closed[blink < 1.0], 0.0)
    assert np.allclose(curve_of(found, "browDownLeft"), 0.0)


def test_who_smiles_all_the_time_still_smiles():
    found = carried(performance(mouthSmileLeft=0.9))
    assert np.allclose(curve_of(found, "mouthSmileLeft"), 0.8)


def test_eyes_look_aside_from_where_they_usually_look():
    aside = 0.3 + 0.2 * np.sin(6.0 * TIMES)
    found = carried(performance(eyeLookInLeft=aside, eyeLookOutLeft=0.0))
    inward, outward = curve_of(found, "eyeLookInLeft"), curve_of(found, "eyeLookOutLeft")
    assert np.allclose(inward - outward, aside - np.median(aside))
    assert np.allclose(np.minimum(inward, outward), 0.0)
    assert inward.max() > 0.1
    assert outward.max() > 0.1


def test_the_head_turns_from_where_it_usually_is():
    driver = performance()
    found = carried(driver)
    turned = np.degrees(angle_between(found.rotation, np.broadcast_to(np.eye(3), (90, 3, 3))))
    assert np.allclose(turned, np.degrees(np.abs(0.4 * np.sin(2.0 * np.pi * TIMES))), atol=2.0)
    assert np.allclose(np.median(found.offset_mm, axis=0), 0.0, atol=1e-6)


def test_a_moment_that_is_named_is_the_rest():
    smile = np.where(TIMES < 0.5, 0.2, 0.9)
    driver = performance(mouthSmileLeft=smile)
    found = retargeted(driver, WEIGHTS, neutral_at(driver, WEIGHTS, 0.2))
    assert np.allclose(curve_of(found, "mouthSmileLeft"), (smile - 0.2) / 0.8)
    with pytest.raises(UsageError, match=r"--neutral 9: .* from 0\.0 s to 3\.0 s"):
        neutral_at(driver, WEIGHTS, 9.0)


def test_lips_are_closed_by_no_more_than_the_jaw_is_open():
    opening = np.linspace(0.0, 0.8, len(TIMES))
    found = carried(performance(jawOpen=opening, mouthClose=0.6 * (TIMES > 1.0)))
    assert (curve_of(found, "mouthClose") <= curve_of(found, "jawOpen")).all()
    assert found.expression.min() >= 0.0
    assert found.expression.max() <= 1.0
