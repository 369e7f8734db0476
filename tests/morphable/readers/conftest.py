"""A small face in mm and our frame, to be written in other people's formats."""

from dataclasses import dataclass

import numpy as np
import pytest

COLUMNS, ROWS = 33, 41
IDENTITY, EXPRESSION, ALBEDO = 4, 3, 2


@dataclass
class SmallFace:
    """What a test writes and expects to read: mm, modes of unit standard deviation."""

    mean: np.ndarray
    identity: np.ndarray
    expression: np.ndarray
    albedo_mean: np.ndarray
    albedo: np.ndarray
    faces: np.ndarray
    keypoints: np.ndarray

    @property
    def clockwise(self):
        return self.faces[:, ::-1]

    def flat(self, modes):
        """Points or modes with rows x, y, z, x, y, z, ..."""
        return modes.reshape(-1, *modes.shape[2:])


@pytest.fixture(scope="session")
def small_face(embedded_landmarks):
    rng = np.random.default_rng(0)
    x, y = np.meshgrid(np.linspace(-80, 80, COLUMNS), np.linspace(-110, 80, ROWS))
    nose = 22 * np.exp(-((x / 12) ** 2) - ((y + 19) / 14) ** 2)
    z = 104 - 60 * (x / 80) ** 2 - 12 * (y / 100) ** 2 + nose
    mean = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    corner = (np.arange(ROWS - 1)[:, None] * COLUMNS + np.arange(COLUMNS - 1)).reshape(-1, 1)
    halves = np.array([[0, 1, COLUMNS + 1], [0, COLUMNS + 1, COLUMNS]])
    faces = np.concatenate([corner + half for half in halves]).astype(np.int32)
    apart = np.linalg.norm(embedded_landmarks[:, None, :2] - mean[None, :, :2], axis=-1)
    keypoints = apart.argmin(axis=1)
    eyes = mean[keypoints[[36, 45]]].mean(axis=0)
    mean += np.array([0.0, 20.0, 87.0]) - eyes  # where readers put the eyes
    count = len(mean)

    def modes(number):
        return rng.normal(size=(count, 3, number)).astype(np.float32)

    return SmallFace(
        mean=mean,
        identity=modes(IDENTITY),
        expression=modes(EXPRESSION),
        albedo_mean=rng.uniform(0.2, 0.8, size=(count, 3)),
        albedo=0.02 * modes(ALBEDO),
        faces=faces,
        keypoints=keypoints,
    )


@pytest.fixture(scope="session")
def embedded_landmarks(model):
    return np.asarray(model.landmarks.mean, dtype=np.float64)


@pytest.fixture(scope="session")
def same_face(small_face):
    """Asserts that a model is the small face, within what single precision leaves."""

    def check(found, expected=small_face, *, albedo=True, landmarks=range(68)):
        np.testing.assert_allclose(found.shape.mean, expected.mean, atol=2e-3)
        np.testing.assert_allclose(found.shape.identity, expected.identity, atol=1e-3)
        np.testing.assert_allclose(found.shape.expression, expected.expression, atol=1e-3)
        np.testing.assert_array_equal(
            np.sort(found.base_faces, axis=1), np.sort(expected.faces, axis=1)
        )
        tip = np.linalg.norm(found.shape.mean - found.shape.mean[expected.keypoints[30]], axis=1)
        assert found.normals(found.shape.mean)[tip.argmin(), 2] > 0.5  # turned outwards
        if albedo:
            np.testing.assert_allclose(found.albedo_mean, expected.albedo_mean, atol=1e-5)
            np.testing.assert_allclose(found.albedo_basis, expected.albedo, atol=1e-5)
        else:
            assert not found.has_albedo
        known = np.flatnonzero(found.known_landmarks)
        np.testing.assert_array_equal(known, list(landmarks))
        corners = found.base_faces[found.landmark_faces[known]]
        weights = found.landmark_barycentric[known]
        points = (found.shape.mean[corners] * weights[..., None]).sum(axis=1)
        np.testing.assert_allclose(points, expected.mean[expected.keypoints[known]], atol=2e-3)

    return check
