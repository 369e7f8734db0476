import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import identity_distance


def test_alike_unrelated_and_opposite():
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    b = torch.tensor([[3.0, 0.0], [0.0, 2.0], [-0.1, 0.0]])
    assert identity_distance(a, b).tolist() == pytest.approx([0.0, 1.0, 2.0])


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    pair = torch.randn((2, 3, 8), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(identity_distance, (pair[0].requires_grad_(), pair[1]))
