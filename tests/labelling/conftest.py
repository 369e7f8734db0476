"""Rendered heads in a folder, and a teacher's file for them: what an ideal MediaPipe would say."""

import numpy as np
import pytest

from mlanet.geometry import matrix_from_euler
from mlanet.labelling.head_turn import HeadTurn
from mlanet.labelling.teacher import INNER, JAW, LIDS, Teacher
from mlanet.morphable import load_model

LID_POINTS = [point for side in LIDS.values() for part in side for point in part]
INDEX = sorted({*JAW, *INNER, *LID_POINTS})
UNIT_PX = 1 / 32


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def turned_heads():
    """`turned_heads(rng, count, most_yaw_deg)`: rotations of heads that turn and tilt."""

    def make(rng, count, most_yaw_deg=80.0):
        angles = rng.uniform(-1, 1, size=(count, 3)) * [0.2, np.radians(most_yaw_deg), 0.6]
        return matrix_from_euler(angles)

    return make


@pytest.fixture(scope="session")
def seen():
    """`seen(rotation)`: points of the mean face that is turned like this, in pixels."""

    def make(rotation):
        face = load_model().landmarks.mean.astype(float)
        return 60.0 + 0.5 * (face @ rotation.transpose(0, 2, 1))[..., :2]

    return make


@pytest.fixture(scope="session")
def a_teacher():
    """`a_teacher(landmarks_px, blend_shapes, opening)`: one that found all faces."""

    def make(landmarks_px, blend_shapes=None, opening=0.3):
        count = len(landmarks_px)
        lids = {side: np.full(count, opening) for side in LIDS}
        return Teacher(np.ones(count, bool), landmarks_px, lids, blend_shapes or {})

    return make


@pytest.fixture(scope="session")
def ahead():
    """`ahead(count)`: heads that look into the camera."""
    return lambda count: HeadTurn(np.zeros(count), np.zeros(count))


@pytest.fixture(scope="session")
def save_answers():
    """`save_answers(path, names, landmarks_px, **arrays)`: a teacher's file."""

    def save(path, names, landmarks_px, *, index=INDEX, **arrays):
        count = len(names)
        points = np.zeros((count, len(index), 2), np.int16)
        for place, point in enumerate(JAW + INNER):
            if point in index:
                points[:, list(index).index(point)] = np.round(landmarks_px[:, place] / UNIT_PX)
        content = {
            "name": np.array(names),
            "found": np.ones(count, bool),
            "points": points,
            "blendshapes": np.full((count, 1), 0.25, np.float16),
            "index": np.array(index, np.int16),
            "unit_px": np.array(UNIT_PX),
            "blendshape_names": np.array(["jawOpen"]),
        }
        np.savez(path, **(content | arrays))

    return save
