import pytest
import torch

from mlanet.losses import PAPER, coefficient_prior, weighted_coefficient_prior


def test_the_prior_is_in_standard_deviations():
    assert coefficient_prior(torch.full((1, 4), 0.6), 0.3).item() == pytest.approx(4.0)


def test_the_papers_prior():
    ones = [torch.ones(2, n) for n in (80, 64, 80)]
    expected = 5e-4 * (1.3 * 80 + 1.1 * 64 + 0.06 * 80)
    assert weighted_coefficient_prior(*ones, PAPER).tolist() == pytest.approx([expected] * 2)


def test_gradients():
    blocks = [torch.randn((2, n), dtype=torch.float64, requires_grad=True) for n in (4, 3, 2)]
    assert torch.autograd.gradcheck(lambda *b: weighted_coefficient_prior(*b, PAPER), blocks)
    assert torch.autograd.gradcheck(lambda c: coefficient_prior(c, 0.3), blocks[0])
