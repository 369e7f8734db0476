import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import emphasised_weights, weighted_landmark_distance


def test_nose_and_inner_lips_weigh_twenty():
    weight = emphasised_weights(torch.zeros(1, dtype=torch.float64))
    assert weight.dtype == torch.float64
    assert [n for n in range(68) if weight[n] == 20.0] == [28, 29, 30, *range(60, 68)]
    assert weight.sum() == 57 + 11 * 20


def test_a_point_costs_its_squared_distance_times_its_weight():
    target = torch.zeros(2, 68, 2)
    moved = target.clone()
    moved[0, 0, 0] = 3.0
    moved[1, 30] = torch.tensor([3.0, 4.0])
    found = weighted_landmark_distance(moved, target, emphasised_weights(target))
    assert found.tolist() == pytest.approx([9 / 68, 20 * 25 / 68])


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    points = torch.rand((2, 2, 68, 2), generator=generator, dtype=torch.float64)
    weight = emphasised_weights(points)
    assert torch.autograd.gradcheck(
        lambda p: weighted_landmark_distance(p, points[1], weight), points[0].requires_grad_()
    )
