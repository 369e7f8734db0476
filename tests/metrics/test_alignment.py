import math

import numpy as np
import pytest

from mlanet.metrics import nme_2d_68, nme_dense, nme_reconstruction


def slow_nme(predicted, truth):
    """The definition, word by word."""
    errors = []
    for face, true in zip(predicted.tolist(), truth.tolist(), strict=True):
        xs, ys = [x for x, _ in true], [y for _, y in true]
        size = math.sqrt((max(xs) - min(xs)) * (max(ys) - min(ys)))
        total = sum(math.hypot(a - c, b - d) for (a, b), (c, d) in zip(face, true, strict=True))
        errors.append(100.0 * total / 68 / size)
    return errors


def test_agrees_with_the_definition():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 450, (5, 68, 2))
    predicted = truth + rng.normal(0, 20, truth.shape)
    np.testing.assert_allclose(nme_2d_68(predicted, truth), slow_nme(predicted, truth), rtol=1e-12)


def test_is_normalised_by_the_truth_and_not_by_the_diagonal():
    rng = np.random.default_rng(1)
    truth = rng.uniform(0, 1, (1, 68, 2)) * [200.0, 100.0]
    truth[0, 0], truth[0, 1] = (0.0, 0.0), (200.0, 100.0)
    shifted = truth + np.array([3.0, 4.0])
    assert nme_2d_68(shifted, truth)[0] == pytest.approx(100 * 5 / math.sqrt(200 * 100))
    stretched = truth * 2.0
    assert nme_2d_68(stretched, truth)[0] == pytest.approx(2.0 * nme_2d_68(truth, stretched)[0])


def test_does_not_change_with_scale_and_translation_of_both():
    rng = np.random.default_rng(2)
    truth = rng.uniform(0, 100, (3, 68, 2))
    predicted = truth + rng.normal(0, 2, truth.shape)
    moved = nme_2d_68(predicted * 7.5 + 40, truth * 7.5 + 40)
    np.testing.assert_allclose(moved, nme_2d_68(predicted, truth), rtol=1e-9)


def test_float32_input_is_measured_in_double_precision():
    truth = (np.random.default_rng(3).uniform(0, 1, (1, 68, 2)) + 40_000).astype(np.float32)
    assert nme_2d_68(truth.copy(), truth)[0] == 0.0
    assert nme_2d_68(truth, truth).dtype == np.float64


@pytest.mark.parametrize("shape", [(2, 68, 3), (2, 67, 2), (68, 2)])
def test_refuses_other_shapes(shape):
    with pytest.raises((ValueError, TypeError), match=r"expected|nme_2d_68"):
        nme_2d_68(np.zeros(shape), np.zeros(shape))


def test_refuses_an_empty_truth_and_numbers_that_are_not_finite():
    truth = np.random.default_rng(4).uniform(0, 100, (2, 68, 2))
    flat = truth.copy()
    flat[1, :, 1] = 3.0
    with pytest.raises(ValueError, match="landmarks 1 have an empty"):
        nme_2d_68(truth, flat)
    truth[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        nme_2d_68(truth, np.nan_to_num(truth))


@pytest.fixture
def truth():
    points = np.random.default_rng(0).uniform(0, 1, (200, 3))
    points[:2, :2] = [[0, 0], [1, 1]]
    return points * [40.0, 25.0, 30.0]


def test_a_known_offset_has_a_known_error(truth):
    unit = 100 / np.sqrt(40 * 25)
    moved = truth + np.array([3.0, 4.0, 50.0])
    assert nme_dense(moved[:, :2], truth[:, :2]) == pytest.approx(5 * unit)
    assert nme_dense(moved, truth) == pytest.approx(5 * unit)  # depth as a whole is free
    bent = truth + np.where(np.arange(200) % 2, 2.0, -2.0)[:, None] * [0, 0, 1]
    assert nme_dense(bent, truth) == pytest.approx(2 * unit)
    assert nme_dense(bent[:, :2], truth[:, :2]) == pytest.approx(0.0)


def test_reconstruction_ignores_similarities_and_nothing_else(truth):
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    moved = 1.7 * truth @ turn.T + [5.0, -3.0, 9.0]
    assert nme_reconstruction(moved, truth, 20.0) == pytest.approx(0.0, abs=1e-9)
    noise = np.random.default_rng(2).normal(size=truth.shape)
    found = nme_reconstruction(moved + 1.7 * noise @ turn.T, truth, 20.0)
    assert 0.9 * 100 * 1.6 / 20 < found < 100 * np.linalg.norm(noise, axis=1).mean() / 20
    assert nme_reconstruction(truth * [1, 1, -1], truth, 20.0) > 5.0  # no reflection


def test_errors_are_refused(truth):
    with pytest.raises(ValueError, match="finite"):
        nme_dense(truth * np.nan, truth)
    with pytest.raises(ValueError, match="twice"):
        nme_dense(truth[1:], truth)
    with pytest.raises(ValueError, match="positive"):
        nme_reconstruction(truth, truth, 0.0)
    with pytest.raises(ValueError, match="empty"):
        nme_dense(truth * [0, 1, 1], truth * [0, 1, 1])
