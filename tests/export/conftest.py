import numpy as np
import pytest

from mlanet.geometry import Mesh


@pytest.fixture(scope="session")
def quadrants():
    """Red, green, blue, yellow: upper left, upper right, lower left, lower right."""
    texture = np.zeros((64, 64, 3), dtype=np.uint8)
    texture[:32, :32] = [255, 0, 0]
    texture[:32, 32:] = [0, 255, 0]
    texture[32:, :32] = [0, 0, 255]
    texture[32:, 32:] = [255, 255, 0]
    return texture


@pytest.fixture(scope="session")
def tetrahedron():
    """A closed mesh in mm of four triangles, each in the middle of its quadrant of the UV."""
    vertices = np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0], [0.0, 200.0, 0.0], [0.0, 0.0, 300.0]])
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], dtype=np.int32)
    triangle = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.1]])
    centres = np.array([[0.2, 0.7], [0.7, 0.7], [0.2, 0.2], [0.7, 0.2]])
    uv = (centres[:, None] + triangle).reshape(-1, 2)
    colors = np.array([[0.0, 0.5, 1.0], [1.0, 0.0, 0.0], [0.2, 0.4, 0.6], [1.0, 1.0, 1.0]])
    uv_faces = np.arange(12, dtype=np.int32).reshape(4, 3)
    return Mesh(vertices, faces, colors=colors, uv=uv, uv_faces=uv_faces)
