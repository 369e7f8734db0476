import numpy as np

from mlanet.labelling.head_turn import HeadTurn


def test_how_a_head_is_turned_is_read_off_its_rotation():
    frontal = np.diag([1.0, -1.0, -1.0])
    c, s = np.cos(0.3), np.sin(0.3)
    right = np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
    clockwise = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    turn = HeadTurn.of(np.stack([frontal, frontal @ right, clockwise @ frontal]))
    np.testing.assert_allclose(turn.yaw_deg, [0.0, np.degrees(0.3), 0.0], atol=1e-9)
    np.testing.assert_allclose(turn.roll_rad, [0.0, 0.0, 0.3], atol=1e-9)
    assert turn.band.tolist() == [0, 1, 0]
    up = np.full((3, 1, 2), [0.0, -1.0])
    np.testing.assert_allclose(turn.in_picture(up)[2, 0], [s, -c])
    np.testing.assert_allclose(turn.upright(turn.in_picture(up)), up)
