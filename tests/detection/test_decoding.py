import numpy as np
import pytest

from mlanet.detection.decoding import STRIDE, Candidates, decode_maps, suppress

ROWS, COLS = 24, 40


def empty_maps():
    return [np.zeros((1, channels, ROWS, COLS), dtype=np.float32) for channels in (1, 2, 2, 10)]


def plant(maps, box, points, score):
    """Write a known box and points (input pixels) into the cell that holds the box's centre."""
    heat, log_size, offset, landmarks = maps
    left, top, right, bottom = box
    x, y, width, height = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
    row, col = int(y / STRIDE), int(x / STRIDE)
    heat[0, 0, row, col] = score
    log_size[0, :, row, col] = np.log(height / STRIDE), np.log(width / STRIDE)
    offset[0, :, row, col] = y / STRIDE - row - 0.5, x / STRIDE - col - 0.5
    relative = (np.asarray(points) - (left, top)) / (width, height)
    landmarks[0, :, row, col] = relative[:, ::-1].reshape(-1)


def test_planted_faces_are_decoded():
    rng = np.random.default_rng(0)
    maps, boxes, points = empty_maps(), [], []
    for left, top, width, height, score in ((10, 8, 30, 44, 0.9), (90.5, 30.25, 61, 50, 0.6)):
        boxes.append((left, top, left + width, top + height))
        points.append(rng.uniform((left, top), (left + width, top + height), (5, 2)))
        plant(maps, boxes[-1], points[-1], score)
    found = decode_maps(*maps, threshold=0.5)
    assert len(found) == 2
    np.testing.assert_allclose(found.scores, [0.9, 0.6], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, boxes, atol=1e-4)
    np.testing.assert_allclose(found.landmarks, points, atol=1e-4)
    assert len(decode_maps(*maps, threshold=0.7)) == 1


def test_no_heat_no_faces():
    found = decode_maps(*empty_maps(), threshold=0.1)
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)
    assert len(suppress(found, 0.3)) == 0


def overlap(first, second):
    """Intersection over union, written out."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return common / (sum(areas) - common)


def is_part(small, large):
    """Whether the middle of a box lies in another's inner half, and it is half as large at most."""
    (a, b, c, d), (e, f, g, h) = small, large
    inside = abs((a + c) - (e + g)) / 2 < (g - e) / 4 and abs((b + d) - (f + h)) / 2 < (h - f) / 4
    return inside and (c - a) * (d - b) < (g - e) * (h - f) / 4


def slow_suppress(boxes, scores, limit):
    """The definition: take the best, drop what overlaps it or is a part of it, repeat."""
    left = sorted(range(len(scores)), key=lambda i: -scores[i])
    kept = []
    while left:
        kept.append(left.pop(0))
        best = boxes[kept[-1]]
        left = [i for i in left if overlap(best, boxes[i]) <= limit and not is_part(boxes[i], best)]
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_suppression_is_greedy_by_score(seed):
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (80, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 40, (80, 2))], axis=1)
    scores = rng.uniform(0, 1, 80)
    points = np.repeat(np.arange(80.0)[:, None, None], 5, axis=1).repeat(2, axis=2)
    kept = suppress(Candidates(boxes, points, scores), 0.3)
    expected = slow_suppress(boxes, scores, 0.3)
    assert kept.landmarks[:, 0, 0].astype(int).tolist() == expected
    assert (np.diff(kept.scores) <= 0).all()


def test_a_rank_of_their_own_comes_before_scores():
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0]])
    two = Candidates(boxes, np.zeros((2, 5, 2)), np.array([0.5, 0.9]))
    assert suppress(two, 0.3).scores.tolist() == [0.9]
    assert suppress(two, 0.3, rank=np.array([2.0, 1.0])).scores.tolist() == [0.5]


@pytest.mark.parametrize("turn", range(4))
def test_candidates_of_a_turned_picture_come_back(turn):
    picture = np.zeros((30, 50, 3))
    picture[4:8, 10:20] = 1.0  # box 10, 4, 20, 8
    rows, cols = np.nonzero(np.rot90(picture, turn)[..., 0])
    box = np.array([[cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]], dtype=np.float64)
    there = Candidates(box, np.repeat(box[:, None, :2], 5, axis=1), np.ones(1))
    back = there.turned_back((30, 50), turn)
    np.testing.assert_allclose(back.boxes, [[10, 4, 20, 8]])
    assert sorted(back.landmarks[0, 0]) in ([4, 10], [8, 10], [4, 20], [8, 20])


def test_candidates_move_together():
    one = Candidates(np.array([[1.0, 2.0, 3.0, 4.0]]), np.ones((1, 5, 2)), np.array([0.5]))
    moved = one.mapped((2.0, 3.0), (10.0, 20.0))
    np.testing.assert_allclose(moved.boxes, [[12, 26, 16, 32]])
    np.testing.assert_allclose(moved.landmarks[0, 0], [12, 23])
    assert len(one.joined(moved)) == 2
