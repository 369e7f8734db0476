from dataclasses import replace

import numpy as np

from mlanet.image import Crop, square_transform
from mlanet.person import choose_faces


def face_of(face, shift, side):
    """A face whose identity is `shift` and whose square has this side."""
    coefficients = face.coefficients
    identity = np.full_like(coefficients.identity, shift)
    square = np.array([0.0, 0.0, side, side])
    crop = Crop(face.crop.image, square_transform(square, face.crop.size))
    return replace(face, crop=crop, coefficients=replace(coefficients, identity=identity))


def test_the_largest_face_is_taken_unless_another_is_clearly_nearer(photos):
    one, same = face_of(photos[0], 0.0, 100), face_of(photos[0], 0.1, 80)
    like, unlike = face_of(photos[0], 0.05, 60), face_of(photos[0], 0.6, 90)
    assert choose_faces([[one], [same], [unlike, like]]) == [one, same, like]
    near = face_of(photos[0], 0.09, 120)
    assert choose_faces([[one], [same], [near, like]]) == [one, same, near]


def test_without_a_face_or_with_another_person_there_is_none(photos):
    one, same = face_of(photos[0], 0.0, 100), face_of(photos[0], 0.1, 100)
    other = face_of(photos[0], 2.0, 100)
    assert choose_faces([[one], [], [same]]) == [one, None, same]
    assert choose_faces([[other], [one], [same]]) == [None, one, same]
    assert choose_faces([[one], [other]]) == [one, None]
    assert choose_faces([[]]) == [None]
