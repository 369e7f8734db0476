import numpy as np

from mlanet.geometry import face_normals
from mlanet.geometry.face_loops import face_sides


def test_the_cross_product_of_the_sides_is_the_normal():
    vertices = np.random.default_rng(0).normal(size=(5, 3))
    faces = np.array([[0, 1, 2], [4, 2, 3]], dtype=np.int32)
    sides = np.array([face_sides(vertices, *face) for face in faces]).reshape(2, 2, 3)
    normals = np.cross(sides[:, 0], sides[:, 1])
    np.testing.assert_allclose(normals, face_normals(vertices, faces), atol=1e-14)
