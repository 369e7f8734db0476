"""Samples that are read once, and how they become tensors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mlanet.datasets import Sample
from mlanet.image import square_from_landmarks
from mlanet.training import SourceConfig
from mlanet.training.data import LabelledFaces
from mlanet.training.kept_samples import KeptSamples
from mlanet.training.samples import (
    FINEST,
    JAW_WEIGHT_2D,
    SURROUNDINGS,
    Samples,
    points_to_crop,
    protocol_crop,
    reduced,
)


def random_sample(height, width, side, center, seed=0):
    """A picture of coarse squares and landmarks whose square has this side and centre."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 20, width // 20, 3)).astype(np.uint8)
    image = np.kron(coarse, np.ones((20, 20, 1), np.uint8))
    xy = rng.uniform(-1.0, 1.0, (68, 2))
    xy[:2] = [[-1.0, -1.0], [1.0, 1.0]]
    points = np.column_stack([xy * side / (2 * np.sqrt(2.0)) + center, rng.uniform(-50, 50, 68)])
    return Sample("some", image, points, square_px=(center[0] - 110.0, center[1] - 110.0, 220.0))


def test_a_picture_that_crops_need_whole_stays_as_it_is():
    sample = random_sample(120, 120, 100.0, (60, 60))
    same = reduced(sample, 128)
    np.testing.assert_array_equal(same.image, sample.image)
    np.testing.assert_allclose(same.landmarks_px, sample.landmarks_px)
    assert same.square_px == pytest.approx(sample.square_px)


@pytest.mark.parametrize(("side", "size"), [(240.0, 64), (150.0, 128), (260.0, 128)])
def test_of_a_large_picture_the_faces_surroundings_are_kept(side, size):
    sample = random_sample(600, 800, side, (400, 300))
    small = reduced(sample, size)
    scale = min(1.0, FINEST * size / side)
    wanted = SURROUNDINGS * side * scale
    assert max(small.image.shape[:2]) == pytest.approx(wanted, abs=2.0)
    steps = np.diff(sample.landmarks_px, axis=0)
    np.testing.assert_allclose(
        np.diff(small.landmarks_px, axis=0), scale * steps, rtol=0.01, atol=0.01
    )
    box = square_from_landmarks(small.landmarks_px)
    assert box[2] - box[0] == pytest.approx(scale * side, rel=0.01)
    assert small.square_px[2] == pytest.approx(scale * 220.0, rel=0.01)
    # The crop of what is kept is the crop of the whole.
    mine, theirs = protocol_crop(small, size), protocol_crop(sample, size)
    np.testing.assert_allclose(mine.landmarks_px, theirs.landmarks_px, rtol=0.01, atol=0.3)
    apart = np.abs(mine.image.astype(float) - theirs.image)
    assert np.median(apart) < 3.0


def test_at_a_border_nothing_is_invented():
    sample = random_sample(400, 400, 200.0, (60.5, 330.5))
    small = reduced(sample, 160)
    np.testing.assert_array_equal(small.image, sample.image[130:, :261])
    np.testing.assert_allclose(small.landmarks_px, sample.landmarks_px - [0.0, 130.0, 0.0])


def test_pictures_without_landmarks_are_cropped_in_the_middle():
    rng = np.random.default_rng(0)
    plain = Sample("plain", rng.integers(0, 256, (500, 900, 3)).astype(np.uint8))
    small = reduced(plain, 128)
    assert small.landmarks_px is None
    before, after = (square_from_landmarks(points_to_crop(one)) for one in (plain, small))
    np.testing.assert_allclose(after[:2] + after[2:], small.image.shape[1::-1], atol=1e-6)
    assert after[2] - after[0] == pytest.approx(FINEST * 128, rel=0.01)
    np.testing.assert_allclose(before[:2] + before[2:], [900, 500])


def test_what_is_not_annotated_is_zero(model):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)
    points = rng.uniform(5, 35, (68, 2))
    size = model.layout.size
    known = np.arange(size) % 2 == 0
    plain = Samples.of(Sample("a", image), model.layout)
    flat = Samples.of(Sample("b", image[:30], points), model.layout)
    full = Samples.of(
        Sample(
            "c", image, np.pad(points, ((0, 0), (0, 1))), coefficients=np.ones(size), known=known
        ),
        model.layout,
    )
    both = Samples.cat([plain, flat, full])
    assert both.labelled.tolist() == [False, True, True]
    assert both.has_depth.tolist() == [0.0, 0.0, 1.0]
    np.testing.assert_allclose(both.weight[1, :17], JAW_WEIGHT_2D)
    assert (both.weight[2] == 1).all()
    assert not both.known[:2].any()
    np.testing.assert_array_equal(both.known[2], known)
    assert both.images.shape == (3, 40, 60, 3)
    assert not both.images[1, 30:].any()
    assert both.extent_px.tolist() == [[60, 40], [60, 30], [60, 40]]
    assert both.squares_px.tolist() == [[0, 0, 60]] * 3
    back = both.take(torch.tensor([2, 1]))
    assert back.num_labelled == len(back) == 2
    np.testing.assert_array_equal(back.landmarks_px[1, :, :2], points.astype(np.float32))
    assert not back.unlabelled().labelled.any()


def test_memory_decides_nothing_but_what_is_read_again(model):
    read = []

    def sample(place):
        read.append(place)
        return None if place == (0, 9) else random_sample(100, 100, 80.0, (50, 50), seed=place[1])

    one = 100 * 100 * 3
    kept = KeptSamples(sample, model.layout, "cpu", 2.5 * one)
    first = [kept.get((0, index), 64) for index in range(4)]
    again = [kept.get((0, index), 64) for index in range(4)]
    assert read == [(0, 0), (0, 1), (0, 2), (0, 3), (0, 2), (0, 3)]
    for mine, theirs in zip(first, again, strict=True):
        for name in Samples.__slots__:
            assert torch.equal(getattr(mine, name), getattr(theirs, name))
    assert kept.get((0, 9), 64) is None


def test_batches_do_not_depend_on_the_memory(data, tiny):
    parts = (SourceConfig("aflw_train", 0.5), SourceConfig(heads=8, share=0.5))
    config = replace(tiny, sources=parts)
    rich = LabelledFaces.of(config, data)
    poor = LabelledFaces.of(config, data, memory_gb=0.0)
    for step in (0, 1, 5, 1):
        one, other = (faces.training_batch(step, 32, config) for faces in (rich, poor))
        for name in Samples.__slots__:
            assert torch.equal(getattr(one, name), getattr(other, name))


def test_labelled_sources_need_landmarks_but_unlabelled_ones_do_not(data, tiny, monkeypatch):
    config = replace(
        tiny,
        sources=(SourceConfig("ytf68", 0.5), SourceConfig("aflw_train", 0.5)),
        unlabelled=0.5,
        unlabelled_sources=(SourceConfig("ytf68"),),
    )
    faces = LabelledFaces.of(config, data)
    source = type(faces.sources[0])
    read = source.__getitem__

    def without_first(self, index):
        found = read(self, index)
        return replace(found, landmarks_px=None) if (self.name, index) == ("ytf68", 1) else found

    monkeypatch.setattr(source, "__getitem__", without_first)
    for step in range(8):
        batch = faces.training_batch(step, 32, config)
        assert batch.labelled.tolist() == [True, True, False, False]
    assert faces.broken == {(0, "1 without landmarks"): "ytf68: 1: without landmarks"}
