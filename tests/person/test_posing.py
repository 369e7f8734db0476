import numpy as np

from mlanet.person import with_shape


def test_another_shape_stays_where_the_face_was_seen(photos):
    face = photos[1]
    other = 0.5 * face.coefficients.identity
    posed = with_shape(face, other, face.coefficients.albedo)
    size = np.ptp(face.landmarks_px[:, 0])
    away = np.linalg.norm((posed.landmarks_px - face.landmarks_px)[:, :2], axis=1)
    assert away.mean() < 0.03 * size
    np.testing.assert_array_equal(posed.coefficients.identity, other)
    assert posed.coefficients.expression.min() >= 0.0


def test_the_same_shape_changes_nothing(photos):
    face = photos[2]
    posed = with_shape(face, face.coefficients.identity, face.coefficients.albedo)
    np.testing.assert_allclose(posed.landmarks_px, face.landmarks_px, atol=1e-2)
    fixed = with_shape(
        face, 0.5 * face.coefficients.identity, face.coefficients.albedo, expression_sd=0.0
    )
    np.testing.assert_array_equal(fixed.coefficients.expression, face.coefficients.expression)
