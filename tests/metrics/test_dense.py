import numpy as np
import pytest

from mlanet.metrics import nme_dense, nme_reconstruction


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
