import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import edge_length_distance, flip_distance, symmetry_distance
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


def test_points_of_a_mirrored_picture_agree():
    points = torch.tensor([[[10.0, 20, 1], [30.0, 22, 2], [21.0, 40, 9]]])
    flipped = points[:, MIRROR] * torch.tensor([-1.0, 1, 1]) + torch.tensor([64.0, 0, 0])
    assert flip_distance(points, flipped, MIRROR, 64.0).item() == pytest.approx(0, abs=1e-3)
    off = flipped + torch.tensor([0.0, 5.0, 0.0])
    assert flip_distance(points, off, MIRROR, 64.0).item() == pytest.approx(5, abs=1e-3)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn((2, 2, 3, 3), generator=generator, dtype=torch.float64)
    edges = torch.tensor([[0, 1], [1, 2]])
    assert torch.autograd.gradcheck(lambda v: symmetry_distance(v, MIRROR), a.requires_grad_())
    assert torch.autograd.gradcheck(lambda v: edge_length_distance(v, b, edges), a)
    assert torch.autograd.gradcheck(
        lambda p, q: flip_distance(p, q, MIRROR, 8.0), (a, b.requires_grad_())
    )
