import numpy as np

from mlanet.render.smooth_fields import faded, limited, plus, repeated


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


def test_sums_limits_and_products_are_those_of_plain_numpy():
    rng = np.random.default_rng(0)
    values = rng.normal(0.0, 20.0, (9, 12, 3)).astype(np.float32)
    plane, color = rng.random((9, 12), np.float32), np.array([3.0, -5.0, 8.0], np.float32)
    np.testing.assert_allclose(plus(values, color), values + color, atol=1e-5)
    least, most = -np.abs(color), 2.0 * np.abs(color)
    np.testing.assert_array_equal(limited(values, least, most), np.clip(values, least, most))
    np.testing.assert_array_equal(values * repeated(plane, 3), values * plane[..., None])
