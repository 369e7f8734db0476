"""See-through layers: coverage, opacity, pictures' borders."""

from dataclasses import replace

import numpy as np
import pytest

from mlanet.errors import RenderError
from mlanet.geometry import Camera, Pose
from mlanet.render.layers import averaged, fineness, head_layer


@pytest.mark.parametrize("fine", [False, True])
def test_a_layer_covers_the_area_of_the_ball(ball, fine):
    layer = head_layer(ball, (100, 100), np.ones((len(ball.vertices), 1)), fine=fine)
    # The outline seen from a metre: sin(angle) = 0.1.
    radius = 250.0 * np.tan(np.arcsin(0.1))
    assert layer.cover.sum() == pytest.approx(np.pi * radius**2, rel=0.01)
    np.testing.assert_allclose(layer.values[..., 0], layer.cover, atol=1e-6)
    assert layer.cover.min() >= 0.0
    assert layer.cover.max() <= 1.0


def test_opacity_at_vertices_makes_the_layer_thinner(ball):
    count = len(ball.vertices)
    half = head_layer(ball, (100, 100), np.ones((count, 1)), opacity=np.full(count, 0.5))
    whole = head_layer(ball, (100, 100), np.ones((count, 1)))
    np.testing.assert_allclose(half.cover, 0.5 * whole.cover, atol=1e-6)


def test_layers_lie_over_floats_and_bytes_alike(ball):
    layer = head_layer(ball, (100, 100), np.tile([0.2, 0.6, 1.0], (len(ball.vertices), 1)))
    floats, count = (
        np.full((100, 100, 3), 0.4, dtype=np.float32),
        np.full((100, 100, 3), 102, dtype=np.uint8),
    )
    layer.over(floats, 0.5)
    layer.over_bytes(count, 0.5)
    np.testing.assert_allclose(floats[50, 50], [0.3, 0.5, 0.7], atol=1e-5)
    np.testing.assert_allclose(count / 255.0, floats, atol=0.5 / 255 + 1e-5)


@pytest.mark.parametrize(
    "translation", [[900.0, 0.0, 1000.0], [0.0, 0.0, -1000.0], [0.0, -900.0, 1000.0]]
)
@pytest.mark.parametrize("paint", [None, lambda values: np.repeat(values, 3, axis=-1)])
def test_a_head_out_of_sight_is_an_empty_layer(ball, translation, paint):
    away = replace(ball, pose=Pose(ball.pose.rotation, np.array(translation)))
    layer = head_layer(away, (100, 100), np.ones((len(ball.vertices), 1)), paint)
    assert layer.cover.size == 0
    canvas = np.full((100, 100, 3), 7, dtype=np.uint8)
    layer.over_bytes(canvas)
    assert (canvas == 7).all()


def test_a_head_at_the_border_is_cut(ball):
    moved = replace(ball, camera=Camera(250.0, (0.0, 50.0)))
    part = head_layer(moved, (100, 100), np.ones((len(ball.vertices), 1)))
    whole = head_layer(ball, (100, 100), np.ones((len(ball.vertices), 1)))
    assert part.box_px[0] == 0
    assert part.cover.sum() == pytest.approx(whole.cover.sum() / 2, rel=0.01)


def test_wrong_sizes_are_named(ball):
    with pytest.raises(RenderError, match="image_size"):
        head_layer(ball, (0, 10), np.ones((len(ball.vertices), 1)))
    with pytest.raises(RenderError, match="attributes"):
        head_layer(ball, (100, 100), np.ones((5, 1)))


def test_small_boxes_get_more_samples():
    assert fineness((50, 100)) == 3
    assert fineness((1000, 10)) == 1
    assert fineness((5000, 10)) == 1
    samples = np.arange(36, dtype=np.float32).reshape(6, 6)
    expected = samples.reshape(2, 3, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(averaged(samples, (2, 2)), expected, atol=1e-5)
