import numpy as np
import pytest

from mlanet.metrics import cumulative_error


def test_area_is_that_under_the_curve():
    rng = np.random.default_rng(0)
    errors = rng.gamma(4.0, 0.8, 500)
    found = cumulative_error(errors, 7.0, num_thresholds=20001)
    drawn = np.trapezoid(found.share, found.thresholds) / 7.0
    assert found.auc == pytest.approx(drawn, abs=1e-4)
    assert found.share[-1] == pytest.approx(1.0 - found.failure)


def test_perfect_faces_and_missed_ones():
    assert cumulative_error(np.zeros(4), 7.0).auc == 1.0
    half = cumulative_error(np.array([0.0, np.inf]), 7.0)
    assert (half.auc, half.failure) == (0.5, 0.5)
    assert half.share.max() == 0.5


@pytest.mark.parametrize("errors", [[], [-1.0], [np.nan]])
def test_no_errors_are_refused(errors):
    with pytest.raises(ValueError, match="curve"):
        cumulative_error(np.array(errors), 7.0)
