import numpy as np

from mlanet.datasets.people import unseen_people


def test_all_pictures_of_a_person_are_on_one_side():
    person = np.array(["c", "a", "b", "a", "d", "e", "c", "e"])
    assert unseen_people(person).tolist() == [False, True, False, True, False, True, False, True]


def test_no_pictures():
    assert unseen_people(np.array([], np.str_)).shape == (0,)
