from dataclasses import replace

import numpy as np
import pytest

from mlanet.fitting import ExpressionPrior, RotationPrior
from mlanet.geometry import angle_between, matrix_from_6d, matrix_from_euler
from mlanet.labelling.joined_fit import LIDS, fit_joined, of_one_person
from mlanet.morphable import load_model


@pytest.fixture(scope="module")
def model():
    return load_model().first_modes(identity=4, expression=2, albedo=0)


def nothing_known(count):
    return ExpressionPrior(np.zeros((count, 2)), np.full((count, 2), 0.3))


def test_points_of_the_model_are_met(model, rng, turned_heads, seen):
    points = seen(turned_heads(rng, 4, 20.0))
    labels, kept = fit_joined(model, points, nothing_known(4), np.zeros(4, bool))
    assert labels.accepted.all()
    assert labels.residual_percent.max() < 1.5  # the made-up camera has no perspective
    np.testing.assert_array_equal(kept, points)
    strict, _ = fit_joined(model, points, nothing_known(4), np.zeros(4, bool), 1e-3)
    assert not strict.accepted.any()


def test_heads_turn_as_it_is_known_before(model, rng, turned_heads, seen):
    points = seen(turned_heads(rng, 4, 20.0))
    free, _ = fit_joined(model, points, nothing_known(4), np.zeros(4, bool))
    known = matrix_from_6d(free.rotation.astype(float)) @ matrix_from_euler(np.array([0, 0.1, 0]))
    prior = RotationPrior(known, 1e-4)
    held, _ = fit_joined(model, points, nothing_known(4), np.zeros(4, bool), rotation=prior)
    assert angle_between(matrix_from_6d(held.rotation.astype(float)), known).max() < 0.02


def test_lids_of_scored_faces_are_the_fits(model, rng, turned_heads, seen):
    points = seen(turned_heads(rng, 4, 20.0))
    wrong = points.copy()
    wrong[:, LIDS] += 4.0
    scored = np.array([True, True, False, False])
    _, labelled = fit_joined(model, wrong, nothing_known(4), scored)
    others = np.setdiff1d(np.arange(68), LIDS)
    np.testing.assert_array_equal(labelled[:, others], wrong[:, others])
    np.testing.assert_array_equal(labelled[2:], wrong[2:])
    assert np.abs(labelled[:2, LIDS] - points[:2, LIDS]).max() < 2.0


def test_accepted_pictures_of_one_person_have_one_identity(model, rng, turned_heads, seen):
    points = seen(turned_heads(rng, 4, 20.0)) + rng.normal(size=(4, 68, 2))
    labels, _ = fit_joined(model, points, nothing_known(4), np.zeros(4, bool))
    labels = replace(labels, accepted=np.array([True, True, False, True]))
    shared = of_one_person(labels, np.array(["a", "a", "a", "b"])).identity
    np.testing.assert_allclose(shared[:2], np.tile(labels.identity[:2].mean(axis=0), (2, 1)))
    np.testing.assert_array_equal(shared[2:], labels.identity[2:])
