import numpy as np
import pytest

from mlanet.video.person import Looks, Person


def looks(value, rng=None, noise=0.0):
    rng = rng or np.random.default_rng(0)
    return Looks(
        value + noise * rng.normal(size=100),
        value + noise * rng.normal(size=21),
        100.0 + 100.0 * value + 100.0 * noise * rng.normal(size=48),
    )


def test_the_mean_resists_frames_that_show_something_else():
    rng, person, plain = np.random.default_rng(0), Person(), []
    for k in range(60):
        seen = looks(5.0 if k % 10 == 9 else 0.2, rng, 0.05)
        plain.append(seen.identity)
        person.add(seen, 0.0, 1.0)
    error = abs(person.looks.identity.mean() - 0.2)
    assert error < 0.25 * abs(np.mean(plain) - 0.2)


def test_a_view_seen_often_does_not_outvote_the_others():
    person = Person()
    for _ in range(1000):
        person.add(looks(0.0), 0.0, 1.0)
    for _ in range(50):
        person.add(looks(0.3), 40.0, 1.0)
    assert 0.1 < person.looks.identity.mean() < 0.2


def test_what_is_joined_is_known_of_both():
    first, second, both = Person(), Person(), Person()
    for k in range(8):
        (first if k % 2 else second).add(looks(0.1), 30.0 * (k % 3 - 1), 1.0)
        both.add(looks(0.1), 30.0 * (k % 3 - 1), 1.0)
    assert np.allclose(first.joined(second).looks.identity, both.looks.identity)


def test_nobody_has_no_looks():
    with pytest.raises(ValueError, match="nobody"):
        _ = Person().looks
