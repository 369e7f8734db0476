from types import SimpleNamespace

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


@pytest.fixture(scope="session", params=[3, 4], ids=["RGB", "RGBA"])
def ribbon(request):
    """What hangs beside the tetrahedron: a brown square, opaque or half so."""
    corners = [[-50.0, 0.0, 10.0], [-10.0, 0.0, 10.0], [-50.0, 40.0, 10.0], [-10.0, 40.0, 10.0]]
    return SimpleNamespace(
        vertices=np.array(corners),
        normals=np.tile([0.0, 0.0, 1.0], (4, 1)),
        faces=np.array([[0, 1, 2], [1, 3, 2]], dtype=np.int32),
        uv=np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
        texture=np.full((8, 16, request.param), [90, 60, 40, 128][: request.param], np.uint8),
    )
