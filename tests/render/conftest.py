import numpy as np
import pytest
import trimesh

from mlanet.geometry import Camera, Mesh, Pose


@pytest.fixture(scope="session")
def sphere():
    """A unit sphere of radius 100 mm, 1,280 triangles, coloured by position."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=100.0)
    vertices = np.asarray(ball.vertices)
    return Mesh(vertices, np.asarray(ball.faces, dtype=np.int32), colors=vertices / 250.0 + 0.5)


@pytest.fixture(scope="session")
def plane():
    """A square of 200 mm that faces +z; UV covers the middle half of the texture."""
    side = np.linspace(0.0, 1.0, 9)
    u, v = (grid.reshape(-1) for grid in np.meshgrid(side, side))
    vertices = np.stack([u * 200.0 - 100.0, v * 200.0 - 100.0, 0.0 * u], axis=1)
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).reshape(-1)
    faces = np.concatenate(
        [
            np.stack([corner, corner + 1, corner + 10], axis=1),
            np.stack([corner, corner + 10, corner + 9], axis=1),
        ]
    ).astype(np.int32)
    uv = np.stack([u, v], axis=1) * 0.5 + 0.25
    return Mesh(vertices, faces, uv=uv, uv_faces=faces)


@pytest.fixture(scope="session")
def frontal():
    """A model that faces the camera from a metre away."""
    return Pose(np.diag([1.0, -1.0, -1.0]), np.array([0.0, 0.0, 1000.0]))


@pytest.fixture(scope="session")
def camera():
    """For pictures of 100 x 100 pixels: 4 mm in a pixel at a metre."""
    return Camera(250.0, (50.0, 50.0))
