"""Landmarks moved to where labels have them."""

from types import SimpleNamespace

import numpy as np
import pytest

from mlanet.fitting import LandmarkFit, OrthographicView
from mlanet.geometry import matrix_from_euler
from mlanet.morphable import load_model

FACES = 150
JAW, NOSE_TIP, LIP = 5, 30, 51


@pytest.fixture(scope="module")
def model():
    return load_model()


def labelled(model, offsets):
    """Fits, and labels in pixels that are off the model's landmarks by offsets (68, 3) in mm."""
    rng = np.random.default_rng(0)
    view, layout = OrthographicView(), model.layout
    identity = rng.normal(size=(FACES, layout.identity))
    expression = rng.uniform(0.0, 0.3, size=(FACES, layout.expression))
    angles = np.radians(rng.uniform(-1, 1, size=(FACES, 3)) * [20, 60, 15])
    rotation = np.stack([matrix_from_euler(row) for row in angles]) @ np.diag([1.0, -1.0, -1.0])
    place = view.place(rng.uniform(0.5, 3.0, FACES), rng.uniform(50, 200, size=(FACES, 2)))
    shape = model.landmarks(identity, expression)
    fitted, labels = (
        view.project(rotation, place, points).image for points in (shape, shape + offsets)
    )
    return LandmarkFit(identity, expression, rotation, place, fitted), labels[..., :2]


def test_what_fits_leave_is_found_in_all_three_directions(model):
    from face_model.places import landmark_offsets

    offsets = np.zeros((68, 3))
    offsets[JAW], offsets[NOSE_TIP], offsets[LIP] = [2.0, -1.0, 0.5], [0, 1.5, -1.0], [0, -1.0, 0.2]
    fit, labels = labelled(model, offsets)
    np.testing.assert_allclose(landmark_offsets(model, fit, labels), offsets, atol=0.25)


def test_a_few_wrong_labels_count_little(model):
    from face_model.places import landmark_offsets

    fit, labels = labelled(model, np.zeros((68, 3)))
    labels[:15, NOSE_TIP] += 100.0
    found = landmark_offsets(model, fit, labels)
    assert np.linalg.norm(found[NOSE_TIP]) < 1.0
    np.testing.assert_allclose(np.delete(found, NOSE_TIP, axis=0), 0, atol=1e-6)


def test_landmarks_move_along_the_surface_in_pairs(model, with_scipy):
    from face_model.landmarks import MIRRORED
    from face_model.places import moved, parted_landmarks

    count = int((model.vertex_parts == 0).sum())
    skin = SimpleNamespace(
        vertices=model.shape.mean[:count],
        faces=model.base_faces[(model.vertex_parts == 0)[model.base_faces[:, 0]]],
        mirror=model.mirror[:count],
        bag=model.regions["mouth"][:count] > 0.5,
        rims=model.regions["eyes"][:count] > 0.5,
    )
    begun = parted_landmarks(model)
    goal = begun.copy()
    goal[[JAW, MIRRORED[JAW]]] += [0.0, 4.0, 0.0]
    goal[NOSE_TIP] += [0.0, 2.0, 0.0]
    found = parted_landmarks(moved(model, skin, goal))
    np.testing.assert_allclose(found[MIRRORED] * [-1, 1, 1], found, atol=0.02)
    assert np.linalg.norm(found - goal, axis=1).max() < 2.0  # off the surface by its curvature
    assert found[JAW, 1] - begun[JAW, 1] > 2.5
    assert found[NOSE_TIP, 1] - begun[NOSE_TIP, 1] > 1.0
    assert np.linalg.norm(np.delete(found - begun, [JAW, MIRRORED[JAW], NOSE_TIP], axis=0)) < 1.0
