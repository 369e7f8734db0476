import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import (
    edge_length_distance,
    shape_distance,
    symmetry_distance,
    vertex_distance,
)
from mlanet.morphable import load_model

MIRROR = torch.tensor([1, 0, 2])


def head(dtype=torch.float64):
    return torch.tensor([[[2.0, 1, 0], [-2.0, 1, 0], [0.0, 0, 3]]], dtype=dtype)


def test_a_symmetric_head_costs_nothing():
    assert symmetry_distance(head(), MIRROR).item() == pytest.approx(0.0, abs=1e-3)
    lopsided = head() + torch.tensor([[[0.0, 3, 0], [0.0, 0, 0], [2.0, 0, 0]]])
    assert symmetry_distance(lopsided, MIRROR).item() == pytest.approx((3 + 3 + 4) / 3, abs=1e-3)


def test_the_embedded_mean_face_is_symmetric():
    model = load_model()
    vertices = torch.from_numpy(model.shape.mean)[None]
    assert symmetry_distance(vertices, torch.from_numpy(model.mirror).long()).item() < 0.05


def test_edges_keep_their_length_under_motion():
    edges = torch.tensor([[0, 1], [1, 2]])
    moved = head()[..., [1, 2, 0]] + 5.0
    assert edge_length_distance(moved, head(), edges).item() == pytest.approx(0.0, abs=1e-6)
    stretched = head() * torch.tensor([1.5, 1, 1])
    expected = (2 + (19**0.5 - 14**0.5)) / 2
    assert edge_length_distance(stretched, head(), edges).item() == pytest.approx(expected)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn((2, 2, 3, 3), generator=generator, dtype=torch.float64)
    edges = torch.tensor([[0, 1], [1, 2]])
    assert torch.autograd.gradcheck(lambda v: symmetry_distance(v, MIRROR), a.requires_grad_())
    assert torch.autograd.gradcheck(lambda v: edge_length_distance(v, b, edges), a)


def test_a_shift_costs_its_square():
    known = torch.rand((2, 7, 3))
    found = vertex_distance(known + torch.tensor([3.0, 0.0, 4.0]), known)
    assert found.tolist() == pytest.approx([25.0, 25.0], rel=1e-5)


def test_vertex_gradients():
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
