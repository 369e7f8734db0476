import numpy as np

from mlanet.texturing.smooth_fields import HELD, away, extended, faded, limited, plus, repeated


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


def test_known_values_stay_and_the_rest_lies_between_them():
    known = np.zeros((50, 50), np.float32)
    known[:, :5], known[:, 45:] = 1.0, 0.6
    values = np.zeros((50, 50, 2), np.float32)
    values[:, :5], values[:, 45:] = (2.0, -1.0), (6.0, -1.0)
    field = extended(values, known)
    np.testing.assert_array_equal(field[:, :5], values[:, :5])
    np.testing.assert_allclose(field[..., 1], -1.0, rtol=1e-5)
    assert field[..., 0].min() >= 2.0 - 1e-4
    assert field[..., 0].max() <= 6.0 + 1e-4
    assert field[25, 10, 0] < 3.0 < 4.0 < field[25, 40, 0]
    assert (field[:, 45:, 0] > 5.0).all()


def test_values_at_a_border_are_held_against_many_that_lie_far_away():
    """Along a slanting border values differ from all the rest."""
    known = np.tri(64, 64, -9, dtype=np.float32)
    values = np.full((64, 64, 1), 10.0, np.float32)
    beside = known - np.tri(64, 64, -12, dtype=np.float32)
    values[beside > 0.0] = 2.0
    next_to_it = (np.tri(64, 64, -6) - known) > 0.0
    loose, held, most = (extended(values, known, hold)[next_to_it] for hold in (1.0, HELD, 4.0))
    assert np.abs(held - 2.0).mean() < 0.8 * np.abs(loose - 2.0).mean()
    assert np.abs(most - 2.0).mean() < np.abs(held - 2.0).mean()
    for hold in (1.0, HELD, 4.0):
        field = extended(values, known, hold)
        np.testing.assert_array_equal(field[known > 0.0], values[known > 0.0])
        assert 2.0 - 1e-4 <= field.min() <= field.max() <= 10.0 + 1e-4


def test_distance_is_counted_from_where_there_is_some_weight():
    weight = np.zeros((20, 20), np.float32)
    weight[:, :4], weight[:, 4] = 1.0, 0.1
    np.testing.assert_allclose(away(weight)[10, :8], [0, 0, 0, 0, 1, 2, 3, 4], rtol=0.05)
