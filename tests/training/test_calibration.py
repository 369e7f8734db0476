import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mlanet.network.confidence import LogLogistic
from mlanet.training.calibration import fit_confidence, fit_log_logistic
from mlanet.training.data import LabelledFaces
from mlanet.training.learner import Learner


def test_known_maps_are_found():
    rng = np.random.default_rng(0)
    deviation = np.exp(rng.normal(1.0, 0.5, 40_000))
    for truth in (LogLogistic(4.0, 3.0), LogLogistic(2.0, 1.0)):
        within = rng.uniform(size=len(deviation)) < truth(deviation)
        found = fit_log_logistic(deviation, within)
        assert found.even_percent == pytest.approx(truth.even_percent, rel=0.03)
        assert found.steepness == pytest.approx(truth.steepness, rel=0.05)


@pytest.mark.parametrize("within", [True, False])
def test_where_all_cases_are_alike_the_map_stays_finite(within):
    deviation = np.linspace(1.0, 4.0, 50)
    found = fit_log_logistic(deviation, np.full(50, within))
    assert ((found(deviation) > 0.9) == within).all()
    assert math.isfinite(found.even_percent)
    assert math.isfinite(found.steepness)


def test_confidence_of_one_deviation_is_the_share_of_held_out_faces_within(data, tiny):
    """A head that says the same of every landmark is as sure of each as landmarks are right."""
    weights = replace(tiny.weights, likelihood=1.0)
    learner = Learner.start(replace(tiny, preset="small", weights=weights, held_out=2))
    found = fit_confidence(learner, LabelledFaces(data, 2))
    assert found == fit_confidence(learner, LabelledFaces(data, 2))
    sure = found.of_landmarks(np.full(68, 2.0 * math.log(3.0)))
    assert (sure == sure[0]).all()
    assert 0.0 < sure[0] < 1.0
    torch.nn.init.constant_(learner.average.uncertainty.bias, 2.0 * math.log(9.0))
    again = fit_confidence(learner, LabelledFaces(data, 2))
    moved = again.of_landmarks(np.full(68, 2.0 * math.log(9.0)))
    np.testing.assert_allclose(moved, sure, atol=1e-4)


def test_a_network_without_the_head_has_no_confidence(data, tiny):
    with pytest.raises(ValueError, match="no head"):
        fit_confidence(Learner.start(tiny), LabelledFaces(data, 4))
