"""Pictures of the landmarks; `python tests/golden/regenerate.py` draws them anew."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlanet.image import read_image

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
BLOCK_PX = 16
TOLERANCE = 5.0
"""Mean difference, of 255, in any block: text and edges may be smoothed a little differently."""


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(GOLDEN / "regenerate.py"))


def worst_block(first, second):
    difference = np.abs(first.astype(float) - second).mean(axis=2)
    count = len(difference) // BLOCK_PX
    blocks = difference.reshape(count, BLOCK_PX, count, BLOCK_PX)
    return blocks.mean(axis=(1, 3)).max()


@pytest.mark.parametrize("name", ["landmarks_front", "landmarks_side"])
def test_landmarks_sit_where_they_were_seen_to_be_right(model, script, name):
    golden = read_image(GOLDEN / f"{name}.png")
    drawn = script["draw_numbered_landmarks"](model, script["VIEWS_DEG"][name])
    assert drawn.shape == golden.shape
    assert worst_block(drawn, golden) < TOLERANCE


def test_a_moved_landmark_would_be_noticed(model, script):
    golden = read_image(GOLDEN / "landmarks_front.png")
    faces = model.landmark_faces.copy()
    faces[33] = model.landmark_faces[51]  # the base of the nose on the upper lip
    moved = replace(model, landmark_faces=faces)
    drawn = script["draw_numbered_landmarks"](moved, script["VIEWS_DEG"]["landmarks_front"])
    assert worst_block(drawn, golden) > 2 * TOLERANCE
