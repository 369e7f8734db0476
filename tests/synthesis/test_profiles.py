from dataclasses import replace

import cv2
import numpy as np
import pytest

from mlanet.datasets import Sample
from mlanet.errors import DataError
from mlanet.geometry import (
    Camera,
    decode_pose,
    landmarks_in_pixels,
    matrix_from_euler,
    six_d_from_matrix,
)
from mlanet.morphable import load_model
from mlanet.render import Renderer
from mlanet.synthesis import HeadsConfig, ProfiledFaces, RenderedHeads, fit_face, turn_face
from mlanet.synthesis.pose import framed_translation

BARE = HeadsConfig(yaw_deg=15.0, hair=0.0, glasses=0.0, occluder=0.0, expression=0.0)


@pytest.fixture(scope="module")
def model():
    return load_model()


@pytest.fixture(scope="module")
def sample(model):
    return RenderedHeads(model, size=96, config=BARE, seed=1)[0]


@pytest.mark.parametrize("yaw", [-90.0, -40.0, 60.0, 90.0])
def test_landmarks_and_coefficients_follow_exactly(model, sample, yaw):
    face = fit_face(model, sample, 96)
    turned = turn_face(model, face, yaw)
    found = model.layout.split(turned.coefficients)
    pose = decode_pose(found.rotation, found.translation)
    points = model.landmarks(found.identity, found.expression)
    seen = landmarks_in_pixels(Camera.of_crop(96), pose, points)
    np.testing.assert_array_equal(seen.astype(np.float32), turned.landmarks_px)
    pitch, _, roll = np.degrees(face.angles_rad)
    np.testing.assert_allclose(turned.angles_deg, [pitch, yaw, roll], atol=1e-3)
    assert turned.image.shape == (96, 96, 3)


def test_a_face_that_is_not_turned_keeps_its_picture(model, sample):
    face = fit_face(model, sample, 96)
    same = turn_face(model, face, float(np.degrees(face.angles_rad[1])))
    border = (len(face.wide) - 96) // 2
    # The frame may differ by less than a pixel: the fit's landmarks are not quite the labels.
    change = face.wide[border:-border, border:-border].astype(int) - same.image
    assert np.abs(change).mean() < 8


def painted(model, vector, size):
    """A head of coefficients with a pattern all over, without light, before grey."""
    found = model.layout.split(vector)
    mean = model.vertices(np.zeros_like(found.identity), np.zeros_like(found.expression))
    renderer = Renderer(model.topology, (size, size), normals=False)
    drawn = renderer(
        model.vertices(found.identity, found.expression),
        decode_pose(found.rotation, found.translation),
        Camera.of_crop(size),
        albedo=0.5 + 0.4 * np.sin(mean / 5.0),
        background=np.full((size, size, 3), 0.5),
    )
    return np.rint(255.0 * np.clip(drawn.image, 0.0, 1.0)).astype(np.uint8)


@pytest.mark.parametrize(
    ("yaw", "target"), [(0.0, 40.0), (0.0, -40.0), (10.0, 50.0), (-10.0, -50.0)]
)
def test_the_picture_turns_with_the_head(model, sample, yaw, target):
    """What the photo shows of the face is where the renderer draws it at the new pose."""
    size = 128
    head = model.layout.split(sample.coefficients)
    points = model.landmarks(head.identity, head.expression).astype(np.float64)
    rotation = matrix_from_euler(np.radians([5.0, yaw, -3.0]))
    translation = framed_translation(points, rotation, np.zeros(2), 0.0)
    six = six_d_from_matrix(rotation)
    vector = model.layout.join(replace(head, rotation=six, translation=translation))
    seen = landmarks_in_pixels(Camera.of_crop(size), decode_pose(six, translation), points)
    face = fit_face(model, Sample("painted", painted(model, vector, size), seen), size)
    turned, wrong = (turn_face(model, face, angle) for angle in (target, -target))
    border = (len(face.wide) - size) // 2
    unturned = face.wide[border:-border, border:-border]

    expected = painted(model, turned.coefficients, size).astype(float)
    hull = cv2.convexHull(np.rint(turned.landmarks_px[:, :2]).astype(np.int32))
    inside = cv2.fillConvexPoly(np.zeros((size, size), np.uint8), hull, 1) > 0
    error, *others = (
        np.abs(picture - expected)[inside].mean()
        for picture in (turned.image, unturned, wrong.image)
    )
    assert error < 15.0
    assert error < 0.3 * min(others)


def test_wrong_depth_that_counts_little_leaves_the_shape(model, sample):
    deep = replace(sample, landmarks_px=sample.landmarks_px * np.array([1.0, 1.0, 1.6]))
    right = fit_face(model, sample, 96)
    errors = [
        np.abs(fit_face(model, deep, 96, weight).identity - right.identity).mean()
        for weight in (0.0001, 1.0)
    ]
    assert errors[0] < 0.7 * errors[1]


def test_a_face_without_landmarks_is_an_error(model):
    blank = Sample("blank", np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(DataError, match="blank"):
        fit_face(model, blank, 32)


def test_jaw_points_of_the_contour_count_little(model, sample):
    flat = replace(sample, landmarks_px=sample.landmarks_px[:, :2])
    points = flat.landmarks_px.copy()
    points[:17, 0] += 3.0
    changes = {}
    for jaw in ("auto", "contour", "surface"):
        first, second = (
            fit_face(model, replace(flat, landmarks_px=marked), 96, jaw=jaw).identity
            for marked in (flat.landmarks_px, points)
        )
        changes[jaw] = np.abs(first - second).mean()
    assert changes["auto"] == changes["contour"] < 0.7 * changes["surface"]
    deep = [fit_face(model, sample, 96, jaw=jaw).identity for jaw in ("auto", "surface", "contour")]
    np.testing.assert_array_equal(deep[0], deep[1])
    assert np.abs(deep[0] - deep[2]).max() > 0.0


def test_names_tell_the_source_and_lie_in_no_folder(model, sample):
    faces = [replace(sample, name=name) for name in ("AFW/a.1.jpg", "s-0.tar/00", "b.jpg")]
    made = ProfiledFaces(model, faces, size=32, steps=1)
    names = [made[index].name for index in range(3)]
    assert names == ["AFW-a.1-0000000-1.webp", "s-0.tar-00-0000001-1.webp", "b-0000002-1.webp"]
