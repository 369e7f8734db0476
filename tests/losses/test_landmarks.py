import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import aperture_distance, landmark_distance
from mlanet.losses.landmarks import APERTURES

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
