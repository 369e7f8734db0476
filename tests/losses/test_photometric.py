import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import (
    coefficient_prior,
    colors_at_vertices,
    light_regularizer,
    photometric_distance,
)


def rand(*shape, seed=0, dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_colours_are_read_at_pixel_centres():
    image = rand(1, 3, 5, 5)
    points = torch.tensor([[[0.5, 0.5], [3.5, 1.5]]], dtype=torch.float64)
    found = colors_at_vertices(image, points)
    torch.testing.assert_close(found[0, 0], image[0, :, 0, 0])
    torch.testing.assert_close(found[0, 1], image[0, :, 1, 3])


def test_colours_between_pixels_are_bilinear():
    image = rand(1, 3, 5, 5)
    found = colors_at_vertices(image, torch.tensor([[[2.0, 3.0]]], dtype=torch.float64))
    torch.testing.assert_close(found[0, 0], image[0, :, 2:4, 1:3].mean(dim=(1, 2)))


def test_colours_of_a_ramp_are_the_positions():
    ramp = (torch.arange(8, dtype=torch.float64) + 0.5).expand(1, 3, 8, 8)
    x = torch.linspace(0.5, 7.5, 23, dtype=torch.float64)
    points = torch.stack([x, torch.full_like(x, 4.0)], dim=-1)[None]
    torch.testing.assert_close(colors_at_vertices(ramp, points)[0, :, 1], x)


def test_outside_is_black():
    image = torch.ones(1, 3, 4, 4)
    points = torch.tensor([[[-3.0, 2.0], [2.0, 9.0], [2.0, 2.0]]])
    assert colors_at_vertices(image, points)[0, :, 0].tolist() == [0.0, 0.0, 1.0]


def test_photometric_distance_is_the_mean_length_over_visible_vertices():
    observed = rand(2, 4, 3, dtype=torch.float32)
    predicted = observed + torch.tensor([0.2, 0.1, -0.2])
    predicted[:, 3] += 5.0
    visible = torch.tensor([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = photometric_distance(predicted, observed, visible)
    assert found.tolist() == pytest.approx([0.3, 0.0], abs=1e-4)


def test_white_light_costs_nothing_and_coloured_light_its_variance():
    white = rand(1, 9, 1).expand(1, 9, 3)
    assert light_regularizer(white).item() == pytest.approx(0.0, abs=1e-15)
    coloured = white.clone()
    coloured[0, 0] += torch.tensor([0.3, 0.0, -0.3], dtype=torch.float64)
    assert light_regularizer(coloured).item() == pytest.approx(0.18 / 27)
    brighter = coloured + 0.7
    assert light_regularizer(brighter).item() == pytest.approx(0.18 / 27)


def test_prior_counts_in_standard_deviations():
    values = torch.tensor([[0.3, -0.3, 0.3], [0.6, 0.0, 0.0]])
    assert coefficient_prior(values, 0.3).tolist() == pytest.approx([1.0, 4.0 / 3.0])
    assert coefficient_prior(-values, 0.3).tolist() == coefficient_prior(values, 0.3).tolist()


def test_gradients():
    image = rand(2, 3, 6, 6)
    points = (1.1 + 3.8 * rand(2, 7, 2, seed=1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: colors_at_vertices(image, p), points)
    predicted, observed = rand(2, 7, 3, seed=2).requires_grad_(), rand(2, 7, 3, seed=3)
    visible = (rand(2, 7, seed=4) > 0.4).double()
    assert torch.autograd.gradcheck(lambda p: photometric_distance(p, observed, visible), predicted)
    assert torch.autograd.gradcheck(light_regularizer, rand(2, 9, 3, seed=5).requires_grad_())
    assert torch.autograd.gradcheck(
        lambda c: coefficient_prior(c, math.pi), rand(2, 5, seed=6).requires_grad_()
    )
