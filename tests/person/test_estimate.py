import numpy as np

from mlanet.person.estimate import growth, shown_well, view_mean


def test_the_mean_of_views_resists_outliers_and_majorities():
    rng = np.random.default_rng(0)
    values = 0.1 * rng.normal(size=(300, 4)) + 1.0
    values[::10] = 20.0
    yaw = np.where(np.arange(300) < 280, 0.0, 40.0)
    values[280:] += 1.0
    mean = view_mean(values, yaw, np.ones(300))
    assert (mean > 1.1).all()
    assert (mean < 2.0).all()


def test_a_photo_that_is_not_sure_counts_little():
    values, yaw = np.array([[1.0], [5.0]]), np.array([-40.0, 40.0])
    assert view_mean(values, yaw, np.array([1.0, 0.01]))[0] < 1.1


def test_photos_that_differ_tell_more_than_one_photo_thrice():
    rng = np.random.default_rng(1)
    one = rng.normal(size=(1, 100))
    assert growth(np.repeat(one, 3, axis=0)) == 1.0
    several = one + 0.2 * rng.normal(size=(3, 100))
    assert 1.2 < growth(several) < growth(one + 0.2 * rng.normal(size=(12, 100))) < 1.54


def test_large_frontal_faces_at_rest_are_shown_well():
    angles = np.array([[0.0, 0.0, 0.0], [0.0, 50.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    side, jaw = np.array([400.0, 400.0, 100.0, 400.0]), np.array([[0.0], [0.0], [0.0], [0.9]])
    assert shown_well(angles, side, jaw, ["jawOpen"]).argmax() == 0
