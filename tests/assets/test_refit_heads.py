"""Heads in closed form against slow oracles and constructed truths."""

import numpy as np
import pytest
from scipy.linalg import eigh, subspace_angles

from mlanet.labelling.teacher import Teacher
from mlanet.morphable import load_model

pytest.importorskip("torch", reason="needs the extra train")
pytest.importorskip("onnx", reason="needs the extra train")

FEATURES, PEOPLE, PICTURES = 12, 40, 6


@pytest.fixture(scope="module")
def refit(_scripts):
    import refit_heads

    return refit_heads


def some_rows(refit, rng, *, expression=None, identity=None, features=None, person=None):
    count = 300 if features is None else len(features)
    features = rng.normal(size=(count, FEATURES)) if features is None else features
    return refit.Rows(
        features=features,
        expression=np.zeros((count, 3)) if expression is None else expression,
        identity=np.zeros((count, 4)) if identity is None else identity,
        person=np.array([f"x {k}" for k in range(count)]) if person is None else person,
        weight=rng.uniform(0.2, 1.0, count),
    )


def test_ridge_is_the_least_squares_solution_of_an_augmented_system(refit):
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 5)) * [1.0, 10.0, 0.1, 3.0, 1.0] + 2.0
    wanted, weight, strength = rng.normal(size=(80, 3)), rng.uniform(0.1, 2.0, 80), 40.0
    share = weight / weight.sum()
    mean = share @ features
    spread = np.sqrt(share @ (features - mean) ** 2)
    # Rows of the data, then one for each penalised slope; the offset is free.
    data = np.column_stack([(features - mean) / spread, np.ones(80)]) * np.sqrt(share)[:, None]
    penalty = np.sqrt(strength / 1000.0) * np.eye(5, 6)
    goal = np.concatenate([wanted * np.sqrt(share)[:, None], np.zeros((5, 3))])
    solution = np.linalg.lstsq(np.concatenate([data, penalty]), goal, rcond=None)[0]
    slope, offset = refit.ridge(features, wanted, weight, strength)
    np.testing.assert_allclose(slope, (solution[:5] / spread[:, None]).T, atol=1e-9)
    np.testing.assert_allclose(
        features @ slope.T + offset, (features - mean) / spread @ solution[:5] + solution[5]
    )


def test_ridge_without_strength_finds_what_made_the_data(refit):
    rng = np.random.default_rng(1)
    slope, offset = rng.normal(size=(2, 5)), rng.normal(size=2)
    features = rng.normal(size=(50, 5))
    found = refit.ridge(features, features @ slope.T + offset, np.ones(50), 0.0)
    np.testing.assert_allclose(found[0], slope, atol=1e-8)
    np.testing.assert_allclose(found[1], offset, atol=1e-8)


def pictures_of_people(rng, count=PEOPLE):
    """People differ in the first two features; lamps differ in the third, cameras in the last."""
    apart = np.zeros((count, FEATURES))
    apart[:, :2] = rng.normal(size=(count, 2)) * 3.0
    person = np.repeat(np.arange(count), PICTURES)
    noise = rng.normal(size=(len(person), FEATURES)) * 0.5
    noise[:, 2] *= 20.0
    features = apart[person] + noise
    features[person % 2 == 1, -1] += 50.0
    names = np.array([f"{'one' if k % 2 == 0 else 'two'} {k}" for k in person.tolist()])
    return features, names


def test_discriminants_are_the_directions_in_which_people_differ(refit, monkeypatch):
    monkeypatch.setattr(refit, "DIRECTIONS", 2)
    rng = np.random.default_rng(2)
    features, person = pictures_of_people(rng, 400)
    found = refit.discriminants(some_rows(refit, rng, features=features, person=person))
    truth = np.eye(FEATURES)[:, :2]
    assert np.degrees(subspace_angles(found, truth)).max() < 10.0


def test_discriminants_solve_the_generalised_eigenproblem(refit, monkeypatch):
    monkeypatch.setattr(refit, "DIRECTIONS", 3)
    rng = np.random.default_rng(3)
    features, person = pictures_of_people(rng)
    spread = features.std(axis=0)
    scaled = features / spread
    within, means, source = np.zeros((FEATURES, FEATURES)), [], []
    for who in sorted(set(person.tolist())):
        mine = scaled[person == who]
        means.append(mine.mean(axis=0))
        source.append(who.split()[0])
        within += (mine - means[-1]).T @ (mine - means[-1])
    within /= len(features) - PEOPLE
    centred = np.array(means)
    for name in ("one", "two"):
        chosen = np.array(source) == name
        centred[chosen] -= centred[chosen].mean(axis=0)
    between = centred.T @ centred
    ridge = refit.SCATTER_RIDGE * np.eye(FEATURES)
    _, vectors = eigh(between, within + ridge)
    found = refit.discriminants(some_rows(refit, rng, features=features, person=person))
    angles = subspace_angles(found, vectors[:, -3:] / spread[:, None])
    assert np.degrees(angles).max() < 1e-4


def test_two_crops_of_one_picture_say_nothing_of_people(refit, monkeypatch):
    monkeypatch.setattr(refit, "DIRECTIONS", 2)
    rng = np.random.default_rng(4)
    features, person = pictures_of_people(rng)
    alone = refit.discriminants(some_rows(refit, rng, features=features, person=person))
    more = np.concatenate([features, rng.normal(size=(20, FEATURES)) * 100.0])
    pairs = np.concatenate([person, [f"one pair {k // 2}" for k in range(20)]])
    both = refit.discriminants(some_rows(refit, rng, features=more, person=pairs))
    np.testing.assert_allclose(both, alone)


def test_the_expression_head_goes_half_way_to_what_the_labels_say(refit, monkeypatch):
    monkeypatch.setattr(refit, "EXPRESSION_RIDGE", 0.0)
    rng = np.random.default_rng(5)
    truth, before = rng.normal(size=(3, FEATURES)) * 0.02, rng.normal(size=(3, FEATURES)) * 0.02
    features = rng.normal(size=(300, FEATURES))
    wanted = 0.5 + features @ truth.T
    assert wanted.min() > 0.0
    assert wanted.max() < 1.0
    rows = some_rows(refit, rng, features=features, expression=wanted)
    weight, bias = refit.refit_expression(rows, before, np.full(3, 0.4))
    np.testing.assert_allclose(weight, (truth + before) / 2.0, atol=1e-9)
    np.testing.assert_allclose(bias, 0.45, atol=1e-9)


def test_expressions_at_rest_may_stay_below_zero_and_turned_heads_stay(refit):
    rng = np.random.default_rng(6)
    weight, bias = rng.normal(size=(3, FEATURES)) * 0.01, np.array([-0.5, 1.5, 0.5])
    rest = np.tile([0.0, 1.0, np.nan], (300, 1))
    rows = some_rows(refit, rng, expression=rest)
    new_weight, new_bias = refit.refit_expression(rows, weight, bias)
    np.testing.assert_allclose(new_weight, weight, atol=1e-12)
    np.testing.assert_allclose(new_bias, bias, atol=1e-12)
    # The same answers are wrong where the label is not at rest.
    rows = some_rows(refit, rng, expression=np.full((300, 3), 0.5))
    _, moved = refit.refit_expression(rows, weight, bias)
    assert moved[0] > bias[0]
    assert moved[1] < bias[1]


def test_the_identity_head_changes_along_the_discriminants_alone(refit, monkeypatch):
    monkeypatch.setattr(refit, "DIRECTIONS", 2)
    monkeypatch.setattr(refit, "IDENTITY_RIDGE", 0.0)
    rng = np.random.default_rng(7)
    features, person = pictures_of_people(rng)
    rows = some_rows(refit, rng, features=features, person=person)
    directions = refit.discriminants(rows)
    before = rng.normal(size=(4, FEATURES))
    more = rng.normal(size=(4, 2))
    wanted = features @ (before + more @ directions.T).T + 1.0
    rows = some_rows(refit, rng, features=features, person=person, identity=wanted)
    weight, bias = refit.refit_identity(rows, before, np.zeros(4))
    np.testing.assert_allclose(weight - before, more @ directions.T / 2.0, atol=1e-8)
    np.testing.assert_allclose(bias, 0.5, atol=1e-8)


def test_lids_and_jaw_are_moved_half_way_to_the_teacher(refit):
    names = list(load_model().expression_names)
    rng = np.random.default_rng(8)
    labels = rng.uniform(0.0, 1.0, (50, len(names)))
    scores = {name: rng.uniform(0.0, 0.6, 50) for name in (*refit.BLINKS, *refit.SCALED)}
    scores["eyeBlinkLeft"][:2] = (0.0, 0.7)
    teacher = Teacher(np.ones(50, bool), np.zeros((50, 68, 2)), {}, scores)
    found = refit.wanted_expression(labels, teacher)
    left = names.index("eyeBlinkLeft")
    np.testing.assert_allclose(found[:2, left], labels[:2, left] / 2.0 + [0.0, 0.5])
    jaw = names.index("jawOpen")
    theirs = 2.0 * found[:, jaw] - labels[:, jaw]
    unclipped = (theirs > 0.0) & (theirs < 1.0)
    assert unclipped.sum() > 10
    assert np.corrcoef(theirs[unclipped], scores["jawOpen"][unclipped])[0, 1] > 1.0 - 1e-9
    moved = [names.index(name) for name in scores]
    np.testing.assert_array_equal(np.delete(found, moved, axis=1), np.delete(labels, moved, axis=1))
