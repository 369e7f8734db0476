import numpy as np
import pytest

from mlanet.geometry import bounding_box, box_iou


def test_known_overlaps():
    first = np.array([[0.0, 0.0, 2.0, 2.0]])
    second = np.array(
        [
            [0.0, 0.0, 2.0, 2.0],  # the same
            [1.0, 1.0, 3.0, 3.0],  # a quarter of each
            [0.5, 0.5, 1.5, 1.5],  # inside
            [2.0, 0.0, 4.0, 2.0],  # touching
            [5.0, 5.0, 6.0, 6.0],  # apart
        ]
    )
    np.testing.assert_allclose(box_iou(first, second), [[1.0, 1 / 7, 0.25, 0.0, 0.0]])


def test_agrees_with_counting_cells():
    rng = np.random.default_rng(0)
    corner = rng.integers(0, 12, (20, 2))
    boxes = np.concatenate([corner, corner + rng.integers(1, 9, (20, 2))], axis=1)
    masks = np.zeros((20, 24, 24), dtype=bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[top:bottom, left:right] = True
    expected = [[(a & b).sum() / (a | b).sum() for b in masks] for a in masks]
    np.testing.assert_allclose(box_iou(boxes.astype(float), boxes.astype(float)), expected)


def test_empty_boxes_overlap_nothing():
    empty = np.array([[3.0, 3.0, 3.0, 3.0]])
    assert box_iou(empty, empty)[0, 0] == 0.0


@pytest.mark.parametrize("columns", [2, 3])
def test_bounding_box_uses_x_and_y_of_a_batch(columns):
    points = np.random.default_rng(1).normal(size=(4, 68, columns))
    box = bounding_box(points)
    np.testing.assert_array_equal(box[:, 0], points[..., 0].min(1))
    np.testing.assert_array_equal(box[:, 3], points[..., 1].max(1))
    assert box.shape == (4, 4)
