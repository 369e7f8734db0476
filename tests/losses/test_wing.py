import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import wing_distance


@pytest.mark.parametrize(
    ("error", "cost"),
    [(0.0, 0.0), (2.0, 10 * math.log(2)), (10.0, 10 * math.log(6)), (14.0, 10 * math.log(6) + 4)],
)
def test_values_of_the_formula(error, cost):
    target = torch.zeros((1, 68, 2), dtype=torch.float64)
    assert wing_distance(target + error, target).item() == pytest.approx(cost)


def test_a_width_must_be_positive():
    with pytest.raises(ValueError, match="positive"):
        wing_distance(torch.zeros(1, 2, 2), torch.zeros(1, 2, 2), width_px=0.0)


def test_points_without_weight_do_not_count():
    target = torch.zeros((2, 3, 2), dtype=torch.float64)
    predicted = target + torch.tensor([2.0, 2.0, 900.0], dtype=torch.float64)[:, None]
    weight = torch.tensor([[1.0, 3.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    found = wing_distance(predicted, target, weight)
    assert found.tolist() == pytest.approx([10 * math.log(2), 0.0])


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    predicted = 30 * torch.rand((2, 5, 2), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p: wing_distance(p, torch.zeros_like(p)), predicted.requires_grad_()
    )
    weight = torch.rand((2, 5), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p: wing_distance(p, torch.zeros_like(p), weight), predicted
    )
