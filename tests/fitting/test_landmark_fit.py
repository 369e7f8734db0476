from dataclasses import replace

import numpy as np
import pytest

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.errors import ConfigurationError
from mlanet.fitting import fit_to_landmarks
from mlanet.image import read_image


@pytest.fixture(scope="module")
def face():
    return Reconstructor.load()(read_image(verified_path("example-image")))[0]


def test_a_face_moves_onto_other_landmarks(face):
    center = face.landmarks_px[:, :2].mean(axis=0)
    wanted = (face.landmarks_px[:, :2] - center) * [1.08, 0.95] + center + [6.0, -4.0]
    fitted = fit_to_landmarks(face, wanted)
    before = np.linalg.norm(face.landmarks_px[:, :2] - wanted, axis=1).mean()
    after = np.linalg.norm(fitted.landmarks_px[:, :2] - wanted, axis=1).mean()
    assert after < 0.15 * before
    np.testing.assert_array_equal(fitted.coefficients.albedo, face.coefficients.albedo)
    np.testing.assert_array_equal(fitted.coefficients.lighting, face.coefficients.lighting)


def test_points_without_weight_are_left_out(face):
    wanted = face.landmarks_px[:, :2].copy()
    weight = np.ones(68)
    weight[:9] = 0.0
    known = fit_to_landmarks(face, wanted, weight)
    wanted[:9] += 500.0
    np.testing.assert_allclose(
        fit_to_landmarks(face, wanted, weight).landmarks_px, known.landmarks_px, atol=1e-3
    )


def test_another_kind_of_rotation_is_refused(face):
    with pytest.raises(ConfigurationError, match="6d"):
        fit_to_landmarks(replace(face, rotation_kind="euler"), face.landmarks_px[:, :2])
