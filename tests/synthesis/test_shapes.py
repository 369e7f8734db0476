import numpy as np
import pytest

from mlanet.morphable import MorphableModel
from mlanet.synthesis.shapes import glasses, glasses_faces, hair, hair_faces


@pytest.fixture(scope="module")
def model():
    return MorphableModel.load()


def test_topologies_fit_the_vertices(model):
    vertices, points = model.shape.mean, model.landmarks.mean
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for shape, faces in (
            (hair(vertices, rng), hair_faces()),
            (glasses(points, rng), glasses_faces()),
        ):
            assert len(shape.vertices) == len(shape.colors) == faces.max() + 1
            assert np.isfinite(shape.vertices).all()
            assert 0 <= shape.colors.min() <= shape.colors.max() <= 1


def test_hair_is_seen_from_outside_and_leaves_the_face_free(model):
    shape = hair(model.shape.mean, np.random.default_rng(0))
    corners = shape.vertices[hair_faces()]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward = corners.mean(axis=1) - shape.vertices.mean(axis=0)
    area = np.linalg.norm(normals, axis=1) > 1e-6
    assert ((normals * outward).sum(axis=1)[area] > 0).mean() > 0.95
    front = model.landmarks.mean[27:48]
    near = np.abs(shape.vertices[:, None, :2] - front[None, :, :2]).max(axis=-1) < 10
    deepest = np.where(near, shape.vertices[:, None, 2], -np.inf).max(axis=0)
    assert (deepest < front[:, 2] + 2.0).all()


def test_shoulders_do_not_widen_hair(model):
    head = model.shape.mean.astype(float)
    bust = np.concatenate([head, [[-200.0, -170.0, 0.0], [200.0, -170.0, 0.0]]])
    found, expected = (hair(points, np.random.default_rng(2)) for points in (bust, head))
    np.testing.assert_array_equal(found.vertices, expected.vertices)


def test_glasses_sit_before_the_eyes(model):
    points = model.landmarks.mean
    shape = glasses(points, np.random.default_rng(1))
    rims = shape.vertices[: 8 * 28]
    assert rims[:, 2].min() > points[36:48, 2].mean() - 10
    assert abs(rims[:, 1].mean() - points[36:48, 1].mean()) < 6
