"""Jaw points of the visible outline, against outlines that are read off rendered heads."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet import Reconstructor
from mlanet.assets import verified_path
from mlanet.coefficients import Coefficients
from mlanet.fitting import fit_to_landmarks
from mlanet.fitting.contour import jaw_lines, outline_points
from mlanet.geometry import six_d_from_matrix
from mlanet.image import read_image
from mlanet.synthesis.pose import framed_translation

YAW = np.deg2rad(45.0)


@pytest.fixture(scope="module")
def face():
    return Reconstructor.load()(read_image(verified_path("example-image")))[0]


def turned(face, identity, yaw):
    """A head without expression, turned about its upright axis and framed as crops are."""
    across = [[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]]
    rotation = np.diag([1.0, -1.0, -1.0]) @ np.array(across)
    identity = np.asarray(identity, np.float32)
    expression = np.zeros(face.model.layout.expression, np.float32)
    place = framed_translation(
        face.model.landmarks(identity, expression), rotation, np.zeros(2), 0.0
    )
    coefficients = Coefficients(
        identity=identity,
        expression=expression,
        albedo=face.coefficients.albedo,
        rotation=six_d_from_matrix(rotation).astype(np.float32),
        translation=place.astype(np.float32),
        lighting=face.coefficients.lighting,
    )
    return replace(face, coefficients=coefficients)


@pytest.fixture(scope="module")
def truth(face):
    identity = np.random.default_rng(1).normal(size=face.model.layout.identity)
    return turned(face, identity, YAW)


@pytest.fixture(scope="module")
def marked(truth):
    """As annotators mark it: jaw points lie where the drawn face ends in their row of pixels."""
    points, drawn = truth.landmarks_px[:, :2].copy(), truth.mask("face") > 0.5
    for k in (*range(8), *range(9, 17)):
        x = np.flatnonzero(drawn[int(points[k, 1])]) + 0.5
        points[k, 0] = min(points[k, 0], x.min()) if k < 8 else max(points[k, 0], x.max())
    return points


@pytest.fixture(scope="module")
def start(face, truth):
    """The mean face, turned by 10 degrees less."""
    return turned(face, np.zeros_like(truth.coefficients.identity), YAW - np.deg2rad(10.0))


def yaw_error(found, truth):
    return abs(found.euler_deg[1] - truth.euler_deg[1])


def shape_error(found, truth):
    """Mean distance of the face's vertices in mm, without position."""
    skin = found.model.region("face") > 0.5
    apart = found.mesh.vertices[skin] - truth.mesh.vertices[skin]
    return np.linalg.norm(apart - apart.mean(axis=0), axis=1).mean()


def test_landmark_fit_with_contour_is_nearer_to_the_truth(start, truth, marked):
    surface = fit_to_landmarks(start, marked)
    contour = fit_to_landmarks(start, marked, jaw="contour")
    assert yaw_error(contour, truth) < 0.5 * yaw_error(surface, truth)
    assert shape_error(contour, truth) < 0.9 * shape_error(surface, truth)


def test_points_of_the_lines_are_level_and_before_the_landmark(face):
    lines = jaw_lines(face.model)
    mean = lines.shape.mean[lines.candidates]
    np.testing.assert_array_equal(lines.shape.mean[:68], face.model.landmarks.mean)
    np.testing.assert_array_equal(lines.candidates[:, 0], np.arange(17))
    np.testing.assert_allclose(mean[..., 1], mean[:, :1, 1].repeat(mean.shape[1], 1), atol=0.01)
    assert (mean[..., 2] >= mean[:, :1, 2]).all()
    assert (lines.candidates[8] == 8).all()
    assert min(len(set(lines.candidates[k])) for k in range(17) if k != 8) > 3


@pytest.mark.parametrize("roll", [0.0, 0.6])
def test_only_the_far_side_slides_and_torch_says_the_same(start, roll, torch):
    lines = jaw_lines(start.model)
    points = lines.shape(start.coefficients.identity, start.coefficients.expression)
    roll_by = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    rotation = (roll_by @ start.pose.rotation)[None]
    seen = points @ rotation.transpose(0, 2, 1)
    found = outline_points(seen, rotation, lines.candidates)
    assert found.shape == (1, 68)
    np.testing.assert_array_equal(found[0, 17:], np.arange(17, 68))
    moved = np.flatnonzero(found[0] != np.arange(68))
    sides = [set(range(k, k + 6)) <= set(moved) for k in (0, 11)]
    assert sorted(sides) == [False, True]
    same = outline_points(
        torch.from_numpy(seen), torch.from_numpy(rotation), torch.from_numpy(lines.candidates)
    )
    np.testing.assert_array_equal(same.numpy(), found)


def test_contour_points_must_be_given(face, torch):
    from mlanet.fitting import refine

    with pytest.raises(ValueError, match="given"):
        refine([face], jaw="contour")
