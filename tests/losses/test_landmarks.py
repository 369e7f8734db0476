import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import (
    aperture_distance,
    emphasised_landmark_distance,
    flip_distance,
    landmark_distance,
    landmark_likelihood,
    variance_likelihood,
    wing_distance,
)
from mlanet.losses.landmarks import APERTURES, EMPHASISED

PARTNER = torch.tensor([1, 0, 2])

SOFTENING = math.sqrt(1e-4)


def points(seed, batch=2, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand((batch, 68, 3), generator=generator, dtype=dtype) * 100.0


def ones(*shape):
    return torch.ones(shape)


def test_a_shift_costs_its_length_over_the_size_in_per_cent():
    target = points(0)
    moved = target + torch.tensor([3.0, 4.0, 0.0])
    size = torch.tensor([50.0, 200.0])
    found = landmark_distance(moved, target, size, ones(2, 68), ones(2))
    assert found.tolist() == pytest.approx([10.0, 2.5], rel=1e-4)


def test_equal_landmarks_cost_next_to_nothing():
    target = points(0)
    found = landmark_distance(target, target, ones(2), ones(2, 68), ones(2))
    assert found.tolist() == pytest.approx([100.0 * SOFTENING] * 2)


def test_weights_choose_landmarks():
    target = points(0)
    moved = target.clone()
    moved[:, :17, 0] += 10.0
    weight = ones(2, 68)
    weight[1, :17] = 0.2
    found = landmark_distance(moved, target, torch.full((2,), 100.0), weight, ones(2))
    expected = [10.0 * 17 / 68, 10.0 * 17 * 0.2 / (51 + 17 * 0.2)]
    assert found.tolist() == pytest.approx(expected, abs=0.01)


def test_depth_counts_where_it_is_labelled_and_its_origin_never():
    target = points(0)
    generator = torch.Generator().manual_seed(5)
    moved = target.clone()
    moved[..., 2] += torch.randn((2, 68), generator=generator) * 20.0
    arguments = (torch.full((2,), 100.0), ones(2, 68))
    has_depth = torch.tensor([1.0, 0.0])
    found = landmark_distance(moved, target, *arguments, has_depth)
    assert found[0] > 5.0
    assert found[1] == pytest.approx(SOFTENING, rel=1e-3)
    raised = moved + torch.tensor([0.0, 0.0, 37.0])
    torch.testing.assert_close(landmark_distance(raised, target, *arguments, has_depth), found)


def test_distance_scales_with_the_picture():
    target, predicted = points(0), points(1)
    arguments = (ones(2, 68), ones(2))
    size = torch.tensor([80.0, 90.0])
    once = landmark_distance(predicted, target, size, *arguments)
    twice = landmark_distance(predicted * 2, target * 2, size * 2, *arguments)
    torch.testing.assert_close(once, twice, rtol=1e-4, atol=1e-4)


def test_apertures_are_pairs_of_lids_and_lips_and_the_corners_of_the_mouth():
    numbers = [number for pair in APERTURES for number in pair]
    assert len(set(numbers)) == len(numbers)
    assert sum(36 <= number < 48 for number in numbers) == 8
    assert sum(number >= 48 for number in numbers) == 8


def test_an_opening_mouth_costs_its_gap():
    target = points(0)
    opened = target.clone()
    opened[:, 66, 1] += 8.0  # the lower lip's middle
    found = aperture_distance(opened, target, torch.tensor([100.0, 50.0]))
    expected = (8.0 + (len(APERTURES) - 1) * SOFTENING) / len(APERTURES)
    assert found.tolist() == pytest.approx([expected, 2 * expected], rel=1e-3)


def test_apertures_do_not_see_where_the_face_is_nor_its_depth():
    target, predicted = points(0), points(1)
    size = torch.tensor([80.0, 90.0])
    moved = predicted + torch.tensor([12.0, -7.0, 3.0])
    moved[..., 2] *= 2.0
    found = aperture_distance(predicted, target, size)
    torch.testing.assert_close(aperture_distance(moved, target, size), found)


def test_gradients():
    target = points(0, dtype=torch.float64)
    predicted = points(1, dtype=torch.float64).requires_grad_()
    size = torch.tensor([80.0, 90.0], dtype=torch.float64)
    weight = torch.linspace(0.2, 1.0, 136, dtype=torch.float64).reshape(2, 68)
    has_depth = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p: landmark_distance(p, target, size, weight, has_depth), predicted
    )
    assert torch.autograd.gradcheck(lambda p: aperture_distance(p, target, size), predicted)


def test_gradient_is_finite_at_the_goal():
    target = points(0)
    predicted = target.clone().requires_grad_()
    loss = landmark_distance(predicted, target, ones(2), ones(2, 68), ones(2)).sum()
    (loss + aperture_distance(predicted, target, ones(2)).sum()).backward()
    assert torch.isfinite(predicted.grad).all()


def test_nose_and_inner_lips_weigh_twenty():
    assert (28, 29, 30, *range(60, 68)) == EMPHASISED
    target = torch.zeros(2, 68, 2)
    moved = target.clone()
    moved[0, 0, 0] = 3.0
    moved[1, 30] = torch.tensor([3.0, 4.0])
    found = emphasised_landmark_distance(moved, target)
    assert found.tolist() == pytest.approx([9 / 68, 20 * 25 / 68])
    halved = emphasised_landmark_distance(moved, target, torch.full((2, 68), 0.5))
    torch.testing.assert_close(halved, 0.5 * found)


def test_emphasised_gradients():
    predicted, target = (points(k, dtype=torch.float64)[..., :2] for k in range(2))
    assert torch.autograd.gradcheck(
        lambda p: emphasised_landmark_distance(p, target), predicted.requires_grad_()
    )


@pytest.mark.parametrize(
    ("error", "cost"),
    [(0.0, 0.0), (2.0, 10 * math.log(2)), (10.0, 10 * math.log(6)), (14.0, 10 * math.log(6) + 4)],
)
def test_values_of_wings_formula(error, cost):
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


def test_wing_gradients():
    generator = torch.Generator().manual_seed(0)
    predicted = 30 * torch.rand((2, 5, 2), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p: wing_distance(p, torch.zeros_like(p)), predicted.requires_grad_()
    )
    weight = torch.rand((2, 5), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda p: wing_distance(p, torch.zeros_like(p), weight), predicted
    )


def test_points_of_a_mirrored_picture_agree():
    points = torch.tensor([[[10.0, 20, 1], [30.0, 22, 2], [21.0, 40, 9]]])
    flipped = points[:, PARTNER] * torch.tensor([-1.0, 1, 1]) + torch.tensor([64.0, 0, 0])
    assert flip_distance(points, flipped, PARTNER, 64.0).item() == pytest.approx(0, abs=1e-3)
    off = flipped + torch.tensor([0.0, 5.0, 0.0])
    assert flip_distance(points, off, PARTNER, 64.0).item() == pytest.approx(5, abs=1e-3)
    pair = torch.rand((2, 2, 3, 3), dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: flip_distance(p[0], p[1], PARTNER, 8.0), pair)


def test_the_likelihood_counts_standard_deviations():
    target = torch.tensor([[[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [0.0, 100.0]]])
    moved = target + torch.tensor([1.0, 0.0])
    weight = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    assert landmark_likelihood(moved, target, weight, 0.005).item() == pytest.approx(2.0)


@pytest.mark.parametrize("hidden", [-1000.0, float("nan")])
def test_points_without_weight_say_nothing(hidden):
    target = torch.tensor([[[0.0, 0.0], [100.0, 0.0], [100.0, 100.0], [hidden, hidden]]])
    moved = (target.nan_to_num() + torch.tensor([1.0, 0.0])).requires_grad_()
    weight = torch.tensor([[1.0, 1.0, 1.0, 0.0]])
    term = landmark_likelihood(moved, target, weight, 0.005)
    term.backward()
    assert term.item() == pytest.approx(2.0)
    assert moved.grad is not None
    assert moved.grad[0, :3].abs().sum() > 0
    assert moved.grad[0, 3].abs().sum() == 0


def test_the_likeliest_variance_is_that_of_the_errors():
    """Of x and of y: half the mean squared distance."""
    squared = torch.tensor([[2.0, 4.0, 12.0]], dtype=torch.float64)
    weight = torch.ones_like(squared)
    best = math.log(squared.mean().item() / 2.0)
    at_best, less, more = (
        variance_likelihood(squared, torch.full_like(squared, best + change), weight).item()
        for change in (0.0, -0.01, 0.01)
    )
    assert at_best < min(less, more)
    assert at_best == pytest.approx(best + 1.0)


def test_the_likelihood_is_that_of_a_gaussian():
    error, deviation = torch.tensor([[3.0, -1.5]]), 2.0
    gaussian = torch.distributions.Normal(0.0, deviation)
    expected = -gaussian.log_prob(error).sum().item() - math.log(2.0 * math.pi)
    squared, log_variance = error.square().sum(dim=1)[None], torch.tensor([[2.0 * math.log(2.0)]])
    found = variance_likelihood(squared, log_variance, torch.ones(1, 1))
    assert found.item() == pytest.approx(expected)


def test_variances_of_points_without_weight_are_not_taught():
    log_variances = torch.zeros(1, 3, requires_grad=True)
    variance_likelihood(
        torch.tensor([[1.0, 2.0, 9.0]]), log_variances, torch.tensor([[1.0, 1.0, 0.0]])
    ).sum().backward()
    assert log_variances.grad is not None
    assert (log_variances.grad != 0.0).tolist() == [[True, False, False]]
