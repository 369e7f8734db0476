import numpy as np
import pytest

from mlanet.metrics import reliability, spearman_correlation


def test_shares_stand_beside_the_mean_confidence_of_their_part():
    confidence = np.array([0.0, 0.05, 0.9, 0.95, 1.0, 0.55])
    found = reliability(confidence, np.array([False, True, True, True, False, True]))
    np.testing.assert_allclose(found.confidence, [0.025, 0.55, 2.85 / 3])
    np.testing.assert_allclose(found.share, [0.5, 1.0, 2 / 3])
    assert found.counts.tolist() == [2, 1, 3]
    expected = (2 * 0.475 + 0.45 + 3 * abs(2.85 / 3 - 2 / 3)) / 6
    assert found.expected_error == pytest.approx(expected)


def test_a_method_that_knows_itself_has_almost_no_error():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(size=20_000)
    came_true = rng.uniform(size=20_000) < confidence
    assert reliability(confidence, came_true).expected_error < 0.015
    assert reliability(np.sqrt(confidence), came_true).expected_error > 0.1


def test_nothing_is_said_of_no_case():
    assert np.isnan(reliability(np.zeros(0), np.zeros(0, bool)).expected_error)


def test_what_is_no_confidence_is_refused():
    for values in ([1.5], [-0.1], [np.nan]):
        with pytest.raises(ValueError, match="not in"):
            reliability(np.array(values), np.array([True]))
    with pytest.raises(ValueError, match="expected"):
        reliability(np.array([0.5, 0.5]), np.array([True]))


def test_ranks_see_order_and_not_scale():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(1)
    one = rng.normal(size=40)
    other = np.round(one + rng.normal(size=40), 1)
    assert spearman_correlation(one, np.exp(3.0 * one)) == pytest.approx(1.0)
    assert spearman_correlation(one, other) == pytest.approx(float(spearmanr(one, other)[0]))
    assert np.isnan(spearman_correlation(one, np.ones(40)))
    assert np.isnan(spearman_correlation(one[:2], one[:2]))
    assert np.isnan(spearman_correlation(one, np.append(other[:-1], np.nan)))
    with pytest.raises(ValueError, match="expected"):
        spearman_correlation(one, one[:3])
