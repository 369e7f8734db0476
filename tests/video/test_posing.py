import numpy as np

from mlanet.geometry import Camera, Pose, angle_between, matrix_from_euler
from mlanet.video.posing import solve_poses, starting_poses

CAMERA = Camera(900.0, (320.0, 240.0))


def scene(rng, count=12):
    points = rng.normal(size=(count, 68, 3)) * [50.0, 60.0, 30.0]
    rotation = matrix_from_euler(np.radians(rng.uniform(-40.0, 40.0, (count, 3))))
    depth = rng.uniform(500.0, 2000.0, count)
    translation = np.stack([*(rng.uniform(-0.3, 0.3, (2, count)) * depth), depth], axis=1)
    pose = Pose(rotation, translation)
    return points, pose, CAMERA.project(pose.apply(points))[..., :2]


def test_exact_landmarks_give_the_exact_pose_from_a_start_that_is_off():
    rng = np.random.default_rng(0)
    points, pose, seen = scene(rng)
    off = matrix_from_euler(np.radians(rng.normal(size=(12, 3)) * 5.0))
    off = off @ matrix_from_euler(np.zeros(3)).T
    start = Pose(off @ pose.rotation, pose.translation * 1.1)
    found = solve_poses(points, seen, CAMERA, start)
    assert angle_between(found.rotation, pose.rotation).max() < 1e-4
    assert np.allclose(found.translation, pose.translation, rtol=1e-4)


def test_a_crops_camera_is_turned_to_the_films():
    rng = np.random.default_rng(1)
    _, pose, _ = scene(rng)
    origin = CAMERA.project(pose.translation[:, None])[:, 0, :2]
    direction = pose.translation / np.linalg.norm(pose.translation, axis=1, keepdims=True)
    axis = np.cross([0.0, 0.0, 1.0], direction)
    from scipy.spatial.transform import Rotation

    angle = np.arcsin(np.linalg.norm(axis, axis=1, keepdims=True))
    aim = Rotation.from_rotvec(axis / np.linalg.norm(axis, axis=1, keepdims=True) * angle)
    before_crop = Pose(
        np.swapaxes(aim.as_matrix(), 1, 2) @ pose.rotation,
        np.stack([0 * origin[:, 0], 0 * origin[:, 0], pose.translation[:, 2] / 2.0], axis=1),
    )
    start = starting_poses(before_crop, np.full(12, 450.0), origin, CAMERA)
    assert np.allclose(start.rotation, pose.rotation, atol=1e-9)
    assert np.allclose(start.translation, pose.translation)
