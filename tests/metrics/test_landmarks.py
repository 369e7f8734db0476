import math

import numpy as np
import pytest

from mlanet.metrics import nme_2d_68


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
