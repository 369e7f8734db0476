import numpy as np

from mlanet.render.smooth_fields import faded


def test_a_square_fade_holds_near_the_border_and_ends_sooner_far_away():
    known = np.zeros((64, 64), np.float32)
    known[:, :16] = 1.0
    values = np.full((64, 64, 1), 10.0, np.float32)
    plain, square = (faded(values, known, 0.125, power)[32, :, 0] for power in (1, 2))
    np.testing.assert_allclose(square[:15], 10.0, rtol=1e-4)
    assert 9.0 < square[17] > plain[17]
    assert square[50] < plain[50]
    for fade in (plain, square):  # 1/e at the reach, 8 texels away
        np.testing.assert_allclose(fade[23], 10.0 / np.e, rtol=0.15)
