import pytest
import torch

from mlanet.losses import vertex_distance


def test_a_shift_costs_its_square():
    known = torch.rand((2, 7, 3))
    found = vertex_distance(known + torch.tensor([3.0, 0.0, 4.0]), known)
    assert found.tolist() == pytest.approx([25.0, 25.0], rel=1e-5)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    predicted, known = torch.rand((2, 2, 5, 3), generator=generator, dtype=torch.float64)
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(vertex_distance, (predicted, known))
