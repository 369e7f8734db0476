import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import coefficient_prior


def test_the_prior_is_in_standard_deviations():
    assert coefficient_prior(torch.full((1, 4), 0.6), 0.3).item() == pytest.approx(4.0)


def test_no_coefficients_cost_nothing():
    assert coefficient_prior(torch.zeros(3, 0), 1.0).tolist() == [0.0, 0.0, 0.0]


def test_gradients():
    coefficients = torch.randn((2, 4), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda c: coefficient_prior(c, 0.3), coefficients)
