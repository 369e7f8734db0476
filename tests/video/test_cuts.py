import numpy as np

from mlanet.video.cuts import CutDetector, correlation


def scene(seed, shift=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 12, 3)).astype(np.uint8)
    return np.roll(np.kron(coarse, np.ones((20, 20, 1), np.uint8)), shift, axis=1)


def test_a_new_scene_is_a_cut_and_a_moving_one_is_not():
    detector = CutDetector()
    found = [detector(scene(0, 2 * k)) for k in range(6)]
    found += [detector(scene(1, 2 * k)) for k in range(6)]
    assert [k for k, cut in enumerate(found) if cut] == [6]


def test_a_flash_is_no_cut():
    detector = CutDetector()
    dark = (scene(0) * 0.4).astype(np.uint8)
    bright = (scene(0) * 0.95).astype(np.uint8)
    assert not any(detector(image) for image in (dark, dark, bright, dark))


def test_correlation_is_pearsons():
    first, second = np.random.default_rng(0).normal(size=(2, 50))
    assert np.isclose(correlation(first, second), np.corrcoef(first, second)[0, 1])
    assert correlation(np.ones(5), np.arange(5.0)) == 0.0
