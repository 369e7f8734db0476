"""The judge of skin, on heads of which it is known what is skin."""

import numpy as np
import visible_skin as benchmark

from mlanet.morphable import load_model


def test_skin_is_told_from_hair_glasses_things_and_background():
    heads = list(benchmark.known_skin(load_model(), benchmark.Options(heads=6, size=200)))
    precision, recall, share = benchmark.precision_and_recall(heads)
    assert precision > 0.97
    assert recall > 0.93
    assert 0.5 < share < precision - 0.05


def test_eyes_and_lips_are_no_skin():
    head = next(benchmark.known_skin(load_model(), benchmark.Options(heads=1, size=200, seed=2)))
    found = benchmark.visible_skin(head.picture, head.landmarks)
    for part in (*benchmark.EYES, benchmark.LIPS):
        x, y = np.rint(head.landmarks[part].mean(axis=0)).astype(int)
        assert not found[y, x]


def test_landmarks_without_size_or_outside_the_photo_have_no_skin():
    photo = np.full((40, 50, 3), 128, np.uint8)
    assert not benchmark.visible_skin(photo, np.full((68, 2), 20.0)).any()
    away = np.random.default_rng(0).uniform(500.0, 600.0, (68, 2))
    assert not benchmark.visible_skin(photo, away).any()
