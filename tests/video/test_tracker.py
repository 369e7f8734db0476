import gc
import weakref

import numpy as np
import pytest

from mlanet.geometry import box_iou
from mlanet.image import square_from_landmarks
from mlanet.video import Tracker
from mlanet.video.track import square_of


def true_squares(film, actor):
    return [square_from_landmarks(points) for points in film.landmarks_px(actor)]


def actor_of(face, film, index):
    """Who of the film's people a face is, by its place."""
    own = square_of(face)[None]
    iou = [box_iou(own, true_squares(film, k)[index][None])[0, 0] for k in range(len(film.actors))]
    assert max(iou) > 0.5
    return int(np.argmax(iou))


def test_one_person_is_detected_once_and_followed(reconstructor, talking):
    asked = []

    class Counting:
        predict_in_boxes = staticmethod(reconstructor.predict_in_boxes)
        predict_in_box = staticmethod(reconstructor.predict_in_box)

        @staticmethod
        def detect(image):
            asked.append(1)
            return reconstructor.detect(image)

    tracker = Tracker(Counting())
    truth = talking.landmarks_px(0)
    for index in range(12):
        (tracked,) = tracker(talking[index], float(talking.times_s[index]))
        assert tracked.number == 0
        assert 0.0 < tracked.confidence <= 1.0
        side = square_of(tracked.face)[2] - square_of(tracked.face)[0]
        away = np.abs(tracked.face.landmarks_px[:, :2] - truth[index, :, :2]).mean()
        assert away < 0.03 * side
    assert len(asked) == 1
    known = tracker.person(0)
    assert known.identity.shape == talking.actors[0].identity.shape
    with pytest.raises(KeyError):
        tracker.person(1)


def test_numbers_survive_a_crossing(reconstructor, crossing):
    tracker, seen = Tracker(reconstructor), []
    for index in range(len(crossing)):
        found = tracker(crossing[index], float(crossing.times_s[index]))
        seen += [(actor_of(each.face, crossing, index), each.stretch) for each in found]
    numbers = {(who, tracker.numbers[stretch]) for who, stretch in seen}
    assert len(numbers) == 2
    assert len({number for _, number in numbers}) == 2
    assert len(seen) > 1.6 * len(crossing)


def test_who_is_hidden_for_a_moment_keeps_the_number(reconstructor, talking):
    tracker = Tracker(reconstructor)
    stretches = []
    for index in range(24):
        hidden = 6 <= index < 10
        image = np.full_like(talking[index], 90) if hidden else talking[index]
        found = tracker(image, index / 12.0)
        assert not hidden or not found
        stretches += [tracked.stretch for tracked in found]
    assert {tracker.numbers[stretch] for stretch in stretches} == {0}
    assert len(stretches) >= 16


def test_two_people_on_both_sides_of_a_cut_get_two_numbers(reconstructor, talking, crossing):
    tracker, numbers, cuts = Tracker(reconstructor), [], []
    for index in range(8):
        film = talking if index < 4 else crossing
        numbers.append({t.number for t in tracker(film[index], index / 24.0)})
        cuts.append(tracker.cut)
    assert cuts == [False] * 4 + [True] + [False] * 3
    assert numbers[0] == numbers[3] == {0}
    assert 0 not in numbers[-1]
    assert len(numbers[-1]) == 2


def test_frames_are_not_kept(reconstructor, talking):
    tracker, kept = Tracker(reconstructor), []
    for index in range(3):
        image = talking[index]
        kept.append(weakref.ref(image))
        assert tracker(image, index / 24.0)
        del image
    gc.collect()
    assert [frame() for frame in kept] == [None] * 3


def test_an_empty_picture_has_nobody(reconstructor):
    assert Tracker(reconstructor)(np.zeros((64, 64, 3), np.uint8), 0.0) == []
