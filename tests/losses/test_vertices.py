import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import shape_distance, vertex_distance


def test_a_shift_costs_its_square():
    known = torch.rand((2, 7, 3))
    found = vertex_distance(known + torch.tensor([3.0, 0.0, 4.0]), known)
    assert found.tolist() == pytest.approx([25.0, 25.0], rel=1e-5)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    predicted, known = torch.rand((2, 2, 5, 3), generator=generator, dtype=torch.float64)
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(vertex_distance, (predicted, known))


def test_shape_is_blind_to_place_and_size():
    known = torch.rand((2, 7, 3), dtype=torch.float64)
    moved = 1.7 * known + torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64)
    assert shape_distance(moved, known).tolist() == pytest.approx([0.0, 0.0], abs=1e-12)


def test_shape_is_least_squares_over_scales():
    generator = torch.Generator().manual_seed(0)
    predicted, noise = torch.rand((2, 1, 9, 3), generator=generator, dtype=torch.float64)
    known = 1.3 * predicted + 0.2 * noise
    scales = torch.linspace(0.0, 2.0, 20_001, dtype=torch.float64)
    mine = predicted - predicted.mean(dim=1, keepdim=True)
    theirs = known - known.mean(dim=1, keepdim=True)
    least = (scales[:, None, None] * mine - theirs).square().sum(dim=2).mean(dim=1).min()
    assert shape_distance(predicted, known).item() == pytest.approx(least.item(), rel=1e-6)


def test_shape_gradients():
    generator = torch.Generator().manual_seed(0)
    predicted, known = torch.rand((2, 2, 5, 3), generator=generator, dtype=torch.float64)
    predicted.requires_grad_()
    assert torch.autograd.gradcheck(shape_distance, (predicted, known))
