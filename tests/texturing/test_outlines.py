import numpy as np

from mlanet.texturing.outlines import trust_at_angle, trust_in_doubt


def plane(value):
    return np.full((16, 16), value, np.float32)


def test_skin_is_believed_at_angles_at_which_other_colours_are_not():
    assert trust_at_angle(plane(0.2), plane(0.5), plane(1.0)).min() > 0.99
    assert trust_at_angle(plane(0.2), plane(4.0), plane(1.0)).max() < 0.4
    assert trust_at_angle(plane(0.14), plane(4.0), plane(1.0)).max() == 0.0


def test_what_faces_the_viewer_and_what_is_no_skin_keep_their_weight():
    assert trust_at_angle(plane(0.6), plane(4.0), plane(1.0)).min() > 0.99
    assert trust_at_angle(plane(0.2), plane(4.0), plane(0.0)).min() > 0.99


def test_doubt_reaches_two_texels_around():
    apart = plane(0.0)
    apart[8, 8] = 4.0
    trust = trust_at_angle(plane(0.2), apart, plane(1.0))
    assert trust[10, 8] < 0.4
    assert trust[11, 8] > 0.99


def test_doubt_matters_only_between_the_two_limits():
    cosine = np.linspace(0.0, 1.0, 101, dtype=np.float32)
    trust = trust_in_doubt(cosine)
    assert trust[cosine < 0.149].max() == 0.0
    assert trust[cosine > 0.451].min() == 1.0
    assert (np.diff(trust) >= 0.0).all()
