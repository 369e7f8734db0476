import numpy as np

from mlanet.labelling.expressions import blink_closure, expression_prior, telling_faces
from mlanet.labelling.head_turn import HeadTurn


def test_blinks_are_calibrated():
    scores, ones = np.linspace(0.0, 1.0, 101), np.ones(101)
    for yaw_deg in (0.0, 20.0, 60.0):
        turn = HeadTurn(yaw_deg * ones, 0.0 * ones)
        shut, rest = (blink_closure(scores, opening * ones, turn) for opening in (0.04, 0.33))
        assert (np.diff(shut) >= 0).all()
        assert shut[-1] == 1.0
        assert rest[0] == 0.0
        openings = blink_closure(0.5 * ones, 0.5 * scores, turn)
        assert (np.diff(openings) <= 0).all()
    profile = HeadTurn(60.0 * ones, 0.0 * ones)
    np.testing.assert_array_equal(
        blink_closure(scores, 0.0 * ones, profile), blink_closure(scores, ones, profile)
    )


def test_expressions_are_likely_as_the_scores_of_trusted_faces_say(a_teacher):
    scores = {"jawOpen": np.array([0.4, 0.4, 0.4]), "cheekPuff": np.array([0.2, 0.2, 0.2])}
    scores |= {"eyeBlinkLeft": np.array([0.9, 0.9, 0.9]), "eyeSquintLeft": np.full(3, 0.55)}
    teacher = a_teacher(np.zeros((3, 68, 2)), scores, opening=0.02)
    teacher.found[2] = False
    turn = HeadTurn(np.array([0.0, 50.0, 0.0]), np.zeros(3))
    names = ("cheekPuff", "eyeBlinkLeft", "eyeSquintLeft", "jawOpen", "tongueOut")
    prior = expression_prior(teacher, turn, names)
    np.testing.assert_allclose(prior.mean[0], [0.0, 1.0, 0.5, 0.4, 0.0])
    np.testing.assert_array_equal(prior.mean[1:], 0.0)
    assert prior.sd[0, 3] < prior.sd[0, 0] == prior.sd[1, 3]


def test_telling_faces_wink_blink_or_look_aside(a_teacher):
    left, right = np.array([[0.1, 0.1], [0.4, 0.1], [0.6, 0.6], [0.6, 0.6]]).T
    scores = {"eyeBlinkLeft": left, "eyeBlinkRight": right}
    scores["eyeLookOutLeft"] = np.array([0.9, 0.0, 0.0, 0.0])
    teacher = a_teacher(np.zeros((4, 68, 2)), scores)
    turn = HeadTurn(np.array([0.0, 0.0, 0.0, 70.0]), np.zeros(4))
    assert telling_faces(teacher, turn).tolist() == [True, True, True, False]
    del scores["eyeLookOutLeft"]
    assert telling_faces(teacher, turn).tolist() == [False, True, True, False]
