import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import pixel_distance


def test_the_mean_distance_of_covered_skin():
    photo = torch.zeros(1, 4, 4, 3)
    rendered = photo.clone()
    rendered[:, :2] = torch.tensor([0.3, 0.0, 0.4])
    rendered[:, 3] = 1.0  # not covered
    covered, skin = torch.ones(1, 4, 4), torch.ones(1, 4, 4)
    covered[:, 3] = 0.0
    found = pixel_distance(rendered, photo, covered)
    assert found.item() == pytest.approx(0.5 * 8 / 12, abs=1e-3)
    skin[:, 2] = 0.0
    assert pixel_distance(rendered, photo, covered, skin).item() == pytest.approx(0.5, abs=1e-3)


def test_nothing_to_compare_costs_nothing():
    pictures = torch.rand(2, 3, 3, 3)
    assert pixel_distance(pictures, 1 - pictures, torch.zeros(2, 3, 3)).tolist() == [0, 0]


def test_gradients_in_colours_and_masks():
    generator = torch.Generator().manual_seed(0)
    rendered, photo = torch.rand((2, 2, 3, 3, 3), generator=generator, dtype=torch.float64)
    covered, skin = torch.rand((2, 2, 3, 3), generator=generator, dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (rendered, photo, covered, skin)]
    assert torch.autograd.gradcheck(pixel_distance, inputs)
    torch.testing.assert_close(
        torch.autograd.grad(pixel_distance(photo, photo, covered).sum(), photo)[0],
        torch.zeros_like(photo),
    )
