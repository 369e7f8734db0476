import builtins
import importlib.util
import sys

import numpy as np
import pytest
import trimesh
from hypothesis import settings

from mlanet.geometry import Camera, Mesh, MeshTopology, Pose, matrix_from_euler
from mlanet.morphable import MorphableModel, load_model
from mlanet.morphable.linear import LinearShape
from mlanet.render import PosedHead

settings.register_profile("mlanet", deadline=None)  # no test is timed
settings.load_profile("mlanet")

BARE = importlib.util.find_spec("h5py") is None
"""Whether the extra `models` is missing, and `evaluate` with it: the tests have scipy, but mlanet
and what it imports must do without."""


def _hide_scipy():
    """Let mlanet and trimesh find no scipy, whatever is installed."""
    find, load = importlib.util.find_spec, builtins.__import__

    def hidden(name, depth):
        importer = sys._getframe(depth).f_globals.get("__name__", "")
        return name.split(".")[0] == "scipy" and importer.split(".")[0] in ("mlanet", "trimesh")

    def find_spec(name, package=None):
        return None if hidden(name, 2) else find(name, package)

    def import_module(name, *arguments, **options):
        if hidden(name, 2):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return load(name, *arguments, **options)

    importlib.util.find_spec, builtins.__import__ = find_spec, import_module


if BARE:
    _hide_scipy()


@pytest.fixture(scope="session")
def torch():
    """PyTorch. A test that asks for it is left out of a bare install; all others run there."""
    return pytest.importorskip("torch", reason="needs the extra train")


@pytest.fixture(scope="session")
def with_scipy():
    """A test of what needs scipy asks for this, and is left out of a bare install."""
    if BARE:
        pytest.skip("needs the extra models or evaluate")


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


@pytest.fixture(scope="session")
def ball_model():
    """A face model that is a ball of 100 mm: 642 vertices, UV from the front, landmarks at the
    34 triangles nearest to +z and, after them, those nearest to -z."""
    ball = trimesh.creation.icosphere(subdivisions=2, radius=100.0)
    base = np.asarray(ball.vertices, dtype=np.float32)
    faces = np.asarray(ball.faces, dtype=np.int32)
    edges = MeshTopology(faces, len(base)).edges
    index = np.zeros((len(edges), 8), dtype=np.int32)
    index[:, :2] = edges
    weight = np.zeros((len(edges), 8), dtype=np.float32)
    weight[:, :2] = 0.5
    order = np.argsort(-base[faces].mean(axis=1)[:, 2])
    return MorphableModel(
        name="ball",
        shape=LinearShape(base, base[..., None] * 0, base[..., None] * 0),
        albedo_mean=np.full_like(base, 0.5),
        albedo_basis=base[..., None] * 0,
        base_faces=faces,
        base_uv=base[:, :2] / 200.0 + 0.5,
        midpoint_index=index,
        midpoint_weight=weight,
        landmark_faces=np.concatenate([order[:34], order[-34:]]).astype(np.int32),
        landmark_barycentric=np.full((68, 3), 1 / 3, dtype=np.float32),
        mirror=np.arange(len(base), dtype=np.int32),
        identity_mirror=np.ones(1, dtype=np.float32),
        expression_mirror=np.zeros(1, dtype=np.int32),
        identity_names=("nothing",),
        expression_names=("nothing",),
        albedo_names=("nothing",),
        regions={
            "face": (base[:, 2] > -1.0).astype(np.float32),
            "eyes": (base[:, 1] > 60.0).astype(np.float32),
            "mouth": np.zeros(len(base), dtype=np.float32),
        },
    )


@pytest.fixture(scope="session")
def ball(ball_model, frontal, camera):
    """The ball a metre away, in the middle of a picture of 100 x 100 pixels: radius 25 pixels."""
    vertices = ball_model.subdivide(ball_model.shape.mean.astype(np.float64))
    vertices *= 100.0 / np.linalg.norm(vertices, axis=1, keepdims=True)
    return PosedHead(ball_model, vertices, frontal, camera)


@pytest.fixture(scope="session")
def turned_mean():
    """The embedded model's mean head in 200 x 200 pixels, by (pitch, yaw, roll) in degrees."""
    model = load_model()
    vertices = model.subdivide(model.shape.mean.astype(np.float64))

    def turn(*angles_deg):
        pose = Pose(matrix_from_euler(np.radians(angles_deg)), np.array([0.0, 0.0, 1500.0]))
        return PosedHead(model, vertices, pose, Camera(900.0, (100.0, 100.0)))

    return turn
