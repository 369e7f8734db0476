import ast

import numpy as np

from mlanet.export import write_blender_camera
from mlanet.export.blender import BLENDER_FROM_GLTF
from mlanet.geometry import Camera, Pose, matrix_from_euler

CAMERA = Camera(900.0, (700.0, 250.0))
SIZE = (1000, 800)


def pose():
    rotation = np.diag([1.0, -1.0, -1.0]) @ matrix_from_euler(np.array([0.2, -0.4, 0.1]))
    return Pose(rotation, np.array([30.0, -40.0, 1100.0]))


def values(path):
    """What the script assigns, without Blender."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).isupper():
            names = ast.unparse(node.targets[0]).strip("()").split(", ")
            value = ast.literal_eval(node.value)
            found |= dict(zip(names, value if len(names) > 1 else [value], strict=True))
    return found


def test_blenders_camera_sees_points_where_the_photo_has_them(tmp_path):
    """Blender's projection as its manual defines lens, sensor width and shift."""
    path = tmp_path / "face_00.blender.py"
    write_blender_camera(path, CAMERA, pose(), SIZE, "face_00.glb")
    found = values(path)
    lens, sensor, shift = (found[name] for name in ("LENS_MM", "SENSOR_WIDTH_MM", "SHIFT"))
    points = np.random.default_rng(0).uniform(-90.0, 90.0, (20, 3))
    world = points @ BLENDER_FROM_GLTF.T / 1000.0
    matrix = np.linalg.inv(np.array(found["CAMERA_TO_WORLD"]))
    x, y, z = (world @ matrix[:3, :3].T + matrix[:3, 3]).T
    across = lens / sensor * x / -z - shift[0]
    up = lens / sensor * y / -z - shift[1]
    width, height = found["PHOTO_SIZE_PX"]
    pixels = np.stack([width * (0.5 + across), height / 2.0 - width * up], axis=1)
    expected = CAMERA.project(pose().apply(points))[:, :2]
    np.testing.assert_allclose(pixels, expected, atol=1e-3)


def test_names_cannot_leave_their_quotes(tmp_path):
    path = tmp_path / "a.blender.py"
    write_blender_camera(path, CAMERA, pose(), SIZE, 'a"; import os; "\n.glb')
    assert values(path)["HEAD"] == 'a"; import os; "\n.glb'
