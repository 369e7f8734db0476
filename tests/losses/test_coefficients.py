import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.coefficients import CoefficientLayout
from mlanet.losses import (
    block_weight,
    coefficient_distance,
    coefficient_importance,
    coefficient_prior,
    light_regularizer,
    side_distance,
    standardized_distance,
    weighted_coefficient_distance,
)

BASIS = torch.tensor([[[3.0, 0.0], [4.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)


def decode(vector):
    return (vector @ BASIS[0].T)[:, None, :]


def pair(batch=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn((2, batch, 2), generator=generator, dtype=dtype)


def test_equal_coefficients_cost_nothing():
    known, _ = pair()
    assert coefficient_distance(known, known).tolist() == [0, 0, 0]
    assert weighted_coefficient_distance(known, known, decode).tolist() == [0, 0, 0]


def test_plain_distance_is_the_mean_square():
    known, _ = pair()
    found = coefficient_distance(known + torch.tensor([1.0, 3.0]), known)
    assert found.tolist() == pytest.approx([5.0] * 3)


def test_a_coefficient_weighs_what_its_error_moves():
    known, _ = pair()
    predicted = known + torch.tensor([1.0, -2.0])  # moves the point by 5 and by 2
    weight = coefficient_importance(predicted, known, decode)
    torch.testing.assert_close(weight, torch.tensor([[1.0, 0.4]] * 3, dtype=torch.float64))
    found = weighted_coefficient_distance(predicted, known, decode)
    assert found.tolist() == pytest.approx([1.0 + 0.4 * 4.0] * 3)


def test_gradients():
    predicted, known = pair()
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(lambda p: coefficient_distance(p, known), predicted)
    each = torch.tensor([0.5, 3.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: standardized_distance(p, known, each), predicted)
    # The weights are constants of the gradient: they are held while it is checked.
    weight = coefficient_importance(predicted, known, decode)
    weighted_coefficient_distance(predicted, known, decode).sum().backward()
    torch.testing.assert_close(predicted.grad, 2 * weight * (predicted - known).detach())


def test_a_block_that_is_wrong_by_its_deviation_costs_its_weight():
    layout = CoefficientLayout(identity=7, expression=3, albedo=2)
    weights = {name: 1.0 + k for k, name in enumerate(layout.sizes)}
    deviations = {name: 0.1 * (k + 1) for k, name in enumerate(layout.sizes)}
    weight = block_weight(layout, weights, deviations)
    for name, cut in layout.slices.items():
        predicted = torch.zeros(2, layout.size)
        predicted[:, cut] = deviations[name]
        found = standardized_distance(predicted, torch.zeros_like(predicted), weight)
        assert found.tolist() == pytest.approx([weights[name]] * 2, rel=1e-5)


def test_prior_counts_in_standard_deviations():
    values = torch.tensor([[0.3, -0.3, 0.3], [0.6, 0.0, 0.0]])
    assert coefficient_prior(values, 0.3).tolist() == pytest.approx([1.0, 4.0 / 3.0])
    assert coefficient_prior(-values, 0.3).tolist() == coefficient_prior(values, 0.3).tolist()


def test_white_light_costs_nothing_and_coloured_light_its_variance():
    white = torch.rand((1, 9, 1), dtype=torch.float64).expand(1, 9, 3)
    assert light_regularizer(white).item() == pytest.approx(0.0, abs=1e-15)
    coloured = white.clone()
    coloured[0, 0] += torch.tensor([0.3, 0.0, -0.3], dtype=torch.float64)
    assert light_regularizer(coloured).item() == pytest.approx(0.18 / 27)
    brighter = coloured + 0.7
    assert light_regularizer(brighter).item() == pytest.approx(0.18 / 27)


def test_no_coefficients_cost_nothing():
    assert coefficient_prior(torch.zeros(3, 0), 1.0).tolist() == [0.0, 0.0, 0.0]


def test_gradients_of_priors():
    coefficients = torch.randn((2, 4), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: coefficient_prior(c, 0.3), coefficients)
    light = torch.randn((2, 9, 3), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(light_regularizer, light)


def test_sides_that_move_alike_are_wrong_about_a_wink():
    sides = torch.tensor([[0, 2], [1, 3]])
    wink = torch.tensor([[1.0, 0.0, 0.2, 0.2]], dtype=torch.float64)
    both_half = torch.tensor([[0.5, 0.5, 0.9, 0.9]], dtype=torch.float64)
    assert side_distance(wink, wink, sides).item() == 0
    assert side_distance(both_half, wink, sides).item() == pytest.approx(0.5)
    assert side_distance(wink + 0.3, wink, sides).item() == pytest.approx(0)
    assert side_distance(wink, wink, torch.zeros((2, 0), dtype=torch.long)).item() == 0
