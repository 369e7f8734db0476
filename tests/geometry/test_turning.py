import numpy as np
import pytest

from mlanet.coefficients import Coefficients
from mlanet.geometry import (
    Camera,
    decode_lighting,
    decode_pose,
    euler_from_matrix,
    matrix_from_euler,
    shading,
    six_d_from_matrix,
    turn_coefficients_back,
    turn_points_back,
)


@pytest.mark.parametrize("turns", range(-1, 5))
def test_points_follow_the_pixels(turns):
    picture = np.zeros((4, 7))
    picture[1, 5] = 1.0
    row, column = np.argwhere(np.rot90(picture, turns))[0]
    centre = np.array([column + 0.5, row + 0.5])
    np.testing.assert_allclose(turn_points_back(centre, (4, 7), turns), [5.5, 1.5])


def said(kind):
    """What a network might say of a person who looks a little up and to the side."""
    rng = np.random.default_rng(0)
    matrix = matrix_from_euler(np.array([0.2, -0.5, 0.1]))
    return Coefficients(
        identity=rng.normal(size=3),
        expression=rng.normal(size=2),
        albedo=rng.normal(size=4),
        rotation=six_d_from_matrix(matrix) if kind == "6d" else euler_from_matrix(matrix),
        translation=np.array([0.1, -0.04, 0.3]),
        lighting=rng.normal(size=27),
    )


@pytest.mark.parametrize("kind", ["6d", "euler"])
@pytest.mark.parametrize("turns", range(4))
def test_the_person_is_seen_in_the_same_place_and_light(kind, turns):
    size, camera = 128, Camera.of_crop(128)
    seen = said(kind)
    back = turn_coefficients_back(seen, kind, turns)
    rng = np.random.default_rng(1)
    points = rng.uniform(-80, 80, (20, 3))
    poses = [decode_pose(one.rotation, one.translation, kind) for one in (seen, back)]
    turned, upright = (camera.project(pose.apply(points)) for pose in poses)
    there = turn_points_back(turned[:, :2], (size, size), turns)
    np.testing.assert_allclose(upright[:, :2], there, atol=1e-6)
    np.testing.assert_allclose(upright[:, 2], turned[:, 2])
    normals = rng.normal(size=(20, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    viewer = np.diag([1.0, -1.0, -1.0])
    shades = [
        shading(normals @ (viewer @ pose.rotation).T, decode_lighting(one.lighting))
        for pose, one in zip(poses, (seen, back), strict=True)
    ]
    np.testing.assert_allclose(shades[1], shades[0], atol=1e-9)
    np.testing.assert_array_equal(back.identity, seen.identity)


def test_four_quarters_are_none():
    seen = said("6d")
    back = turn_coefficients_back(seen, "6d", 4)
    np.testing.assert_array_equal(back.rotation, seen.rotation)
