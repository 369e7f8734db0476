"""Who is who in scenes that are written down, not drawn: every box and every look is known."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.geometry import box_iou
from mlanet.image import Crop
from mlanet.image.crop import square_transform
from mlanet.video import Tracker
from mlanet.video.track import as_detection, square_of

RATE = 30.0
SIDE = 60.0


class Scripted:
    """A detector and a network that see what a script says: for each frame, (x, look) of faces."""

    def __init__(self, reconstructor, face, script):
        self.regressor = reconstructor.regressor
        self._face, self._script = face, script
        rng = np.random.default_rng(0)
        self._noise = rng.integers(0, 255, face.crop.image.shape, np.uint8)
        self._code = rng.choice([-1.0, 1.0], len(face.coefficients.identity))

    def __call__(self):
        """Tracks the whole script: the frames' faces, and the tracker."""
        tracker = Tracker(self)
        blank = [np.full((120, 640, 3), k, np.uint8) for k in range(len(self._script))]
        return [tracker(image, k / RATE) for k, image in enumerate(blank)], tracker

    def detect(self, image):
        return [as_detection(face) for face in self._faces(image)]

    def predict_in_box(self, image, box, quarter_turns=0):
        faces = self._faces(image)
        squares = np.stack([square_of(face) for face in faces])
        return faces[int(np.argmax(box_iou(box[None], squares)))]

    def predict_in_boxes(self, image, boxes, quarter_turns):
        return [self.predict_in_box(image, box) for box in boxes]

    def _faces(self, image):
        return [self._placed(x, look) for x, look in self._script[int(image[0, 0, 0])]]

    def _placed(self, x, look):
        square = np.array([x - SIDE / 2.0, 30.0, x + SIDE / 2.0, 30.0 + SIDE])
        crop = Crop(self._noise, square_transform(square, len(self._noise)))
        identity = (0.2 * look * self._code).astype(np.float32)
        coefficients = replace(self._face.coefficients, identity=identity)
        return replace(self._face, crop=crop, coefficients=coefficients)


@pytest.fixture(scope="module")
def face(reconstructor, talking):
    (found,) = reconstructor.detect(talking[0])
    return reconstructor.reconstruct_detection(talking[0], found)


def meeting(after, looks, hidden, pause=8):
    """Two people come from both sides; one box is seen while they overlap; then two again.

    `after` is where each goes (-1 left, 1 right), `looks` what they look like, `hidden` what the
    one box looks like.
    """
    script = []
    for k in range(20):
        x = 260.0 - 12.0 * k
        script.append([(320.0 - x / 2.0, looks[0]), (320.0 + x / 2.0, looks[1])])
    script += [[(320.0, hidden)]] * pause
    for k in range(30):
        x = min(32.0 + 12.0 * k, 260.0) / 2.0
        script.append([(320.0 + after[who] * x, looks[who]) for who in (0, 1)])
    return script


def numbers_by_look(found, tracker, script, until=None):
    """The numbers of each person's frames, but for those where one hides the other."""
    seen = {}
    for faces, truth in zip(found[:until], script, strict=False):
        for each in faces:
            left, _, right, _ = square_of(each.face)
            away = [abs((left + right) / 2.0 - x) for x, _ in truth]
            if len(truth) > 1 and min(away) < 0.1 * SIDE:
                look = truth[int(np.argmin(away))][1]
                seen.setdefault(look, set()).add(tracker.numbers[each.stretch])
    return seen


@pytest.mark.parametrize("after", [(1, -1), (-1, 1)], ids=["pass", "turn back"])
@pytest.mark.parametrize("hidden", [-1.0, 0.0, 1.0])
def test_who_met_is_told_apart_whatever_was_seen_meanwhile(reconstructor, face, after, hidden):
    script = meeting(after, (-1.0, 1.0), hidden)
    found, tracker = Scripted(reconstructor, face, script)()
    seen = numbers_by_look(found, tracker, script)
    assert sorted(map(tuple, seen.values())) == [(0,), (1,)]
    assert {tracked.number for tracked in found[-1]} == {0, 1}
    for tracked in found[0]:
        same = tracker.person(tracked.number).identity @ tracked.face.coefficients.identity
        assert same > 0.0


def test_twins_stay_two(reconstructor, face):
    found, tracker = Scripted(reconstructor, face, meeting((1, -1), (1.0, 1.0), 1.0))()
    assert {tracker.numbers[each.stretch] for faces in found for each in faces} == {0, 1}


def test_whoever_stays_is_recognised_when_the_other_does_not_come_out(reconstructor, face):
    for stays in (-1.0, 1.0):
        script = meeting((1, -1), (-1.0, 1.0), stays)[:28] + [[(320.0, stays)]] * 90
        found, _ = Scripted(reconstructor, face, script)()
        before = {t.number: t.face.coefficients.identity for t in found[5]}
        (last,) = found[-1]
        assert np.allclose(last.face.coefficients.identity, before[last.number])


def test_somebody_new_beside_a_known_person_gets_a_new_number(reconstructor, face):
    script = [[(200.0, -1.0)]] * 20 + [[(200.0, -1.0), (400.0, 1.0)]] * 40
    found, tracker = Scripted(reconstructor, face, script)()
    seen = numbers_by_look(found, tracker, script)
    assert seen == {-1.0: {0}, 1.0: {1}}


def test_who_comes_back_elsewhere_gets_the_old_number(reconstructor, face):
    script = [[(200.0, -1.0), (400.0, 1.0)]] * 20 + [[(200.0, -1.0)]] * 40
    script += [[(200.0, -1.0), (560.0, 1.0)]] * 40
    found, tracker = Scripted(reconstructor, face, script)()
    assert [len(faces) for faces in found[::33]] == [2, 1, 2, 2]
    assert numbers_by_look(found, tracker, script) == {-1.0: {0}, 1.0: {1}}
