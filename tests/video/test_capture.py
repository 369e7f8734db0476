import numpy as np
import pytest

from mlanet.geometry import angle_between, euler_from_matrix, matrix_from_euler
from mlanet.video.capture import PATIENCE_S, FaceCapture, Neutral


def rotation_of(pitch, yaw, roll):
    return matrix_from_euler(np.radians([pitch, yaw, roll]))


def test_a_neutral_face_is_nothing_and_a_full_weight_stays_one():
    expression = np.array([[0.0, 0.2, 0.95], [0.1, 0.2, 0.95], [0.9, 0.3, 0.95]])
    neutral = Neutral.of(expression, np.stack([rotation_of(0, 0, 0)] * 3))
    assert np.allclose(neutral.expression, [0.1, 0.2, 0.95])  # one blink does not count
    assert np.allclose(neutral.weights(neutral.expression), [0.0, 0.0, 0.75])
    assert np.allclose(neutral.weights(np.ones(3)), 1.0)
    assert np.allclose(neutral.weights(np.zeros(3)), 0.0)


def test_whoever_looks_straight_on_at_rest_is_frontal_and_turns_are_about_their_own_axes():
    seen_from_below = rotation_of(20.0, 0.0, 0.0)
    neutral = Neutral.of(np.zeros((1, 2)), seen_from_below[None])
    assert np.allclose(neutral.turned(seen_from_below), np.diag([1.0, -1.0, -1.0]))
    own_turn = np.diag([1.0, -1.0, -1.0]) @ rotation_of(0.0, 30.0, 0.0)
    found = np.degrees(euler_from_matrix(neutral.turned(seen_from_below @ own_turn)))
    assert np.allclose(found, [0.0, 30.0, 0.0])


def followed(capture, film):
    return [capture(film[k], float(film.times_s[k])) for k in range(len(film))]


def test_weights_and_pose_are_near_the_truth(reconstructor, talking):
    capture = FaceCapture(reconstructor)
    capture.warm_up()
    faces = followed(capture, talking)
    assert {face.number for face in faces} == {0}
    jaw = reconstructor.model.expression_names.index("jawOpen")
    truth = talking.actors[0]
    found = np.array([face.expression[jaw] for face in faces])
    assert np.corrcoef(found, truth.expression[:, jaw])[0, 1] > 0.85
    turned = np.stack([face.rotation for face in faces])
    assert (
        np.degrees(angle_between(turned, truth.pose.rotation)).mean() < 6.0
    )  # one film in hard light: landmarks of the network


def test_the_neutral_face_is_taken_from_the_frames_that_follow(reconstructor, talking):
    capture = FaceCapture(reconstructor, smooth=0.0)
    capture.take_neutral(0.2)
    faces = followed(capture, talking)
    assert capture.neutral is not None
    assert not capture.takes_neutral
    before, after = FaceCapture(reconstructor, smooth=0.0), faces[5:9]
    plain = followed(before, talking)[5:9]
    assert all(
        (a.expression <= b.expression + 1e-9).all() for a, b in zip(after, plain, strict=True)
    )
    assert all(a.expression.sum() < b.expression.sum() for a, b in zip(after, plain, strict=True))


def test_one_of_two_people_is_followed_and_an_empty_picture_has_nobody(reconstructor, crossing):
    capture = FaceCapture(reconstructor)
    faces = [capture(crossing[k], float(crossing.times_s[k])) for k in range(6)]
    assert len({face.number for face in faces}) == 1
    empty = np.zeros((240, 320, 3), np.uint8)
    assert capture(empty, 1.0) is None
    assert capture(empty, 1.0 + 2.0 * PATIENCE_S) is None


def test_a_strength_that_makes_no_sense_is_refused(reconstructor):
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        FaceCapture(reconstructor, smooth=2.0)
