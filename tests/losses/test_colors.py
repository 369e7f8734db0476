import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import (
    albedo_uniformity,
    color_distance,
    colors_at_vertices,
    robust_color_distance,
)


def rand(*shape, seed=0, dtype=torch.float64):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_colours_are_read_at_pixel_centres():
    image = rand(1, 3, 5, 5)
    points = torch.tensor([[[0.5, 0.5], [3.5, 1.5]]], dtype=torch.float64)
    found = colors_at_vertices(image, points)
    torch.testing.assert_close(found[0, 0], image[0, :, 0, 0])
    torch.testing.assert_close(found[0, 1], image[0, :, 1, 3])


def test_colours_between_pixels_are_bilinear():
    image = rand(1, 3, 5, 5)
    found = colors_at_vertices(image, torch.tensor([[[2.0, 3.0]]], dtype=torch.float64))
    torch.testing.assert_close(found[0, 0], image[0, :, 2:4, 1:3].mean(dim=(1, 2)))


def test_colours_of_a_ramp_are_the_positions():
    ramp = (torch.arange(8, dtype=torch.float64) + 0.5).expand(1, 3, 8, 8)
    x = torch.linspace(0.5, 7.5, 23, dtype=torch.float64)
    points = torch.stack([x, torch.full_like(x, 4.0)], dim=-1)[None]
    torch.testing.assert_close(colors_at_vertices(ramp, points)[0, :, 1], x)


def test_outside_is_black():
    image = torch.ones(1, 3, 4, 4)
    points = torch.tensor([[[-3.0, 2.0], [2.0, 9.0], [2.0, 2.0]]])
    assert colors_at_vertices(image, points)[0, :, 0].tolist() == [0.0, 0.0, 1.0]


def test_color_distance_is_the_mean_length_over_visible_vertices():
    observed = rand(2, 4, 3, dtype=torch.float32)
    predicted = observed + torch.tensor([0.2, 0.1, -0.2])
    predicted[:, 3] += 5.0
    visible = torch.tensor([[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    found = color_distance(predicted, observed, visible)
    assert found.tolist() == pytest.approx([0.3, 0.0], abs=1e-4)


def test_gradients_at_vertices():
    image = rand(2, 3, 6, 6)
    points = (1.1 + 3.8 * rand(2, 7, 2, seed=1)).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: colors_at_vertices(image, p), points)
    predicted, observed = rand(2, 7, 3, seed=2).requires_grad_(), rand(2, 7, 3, seed=3)
    visible = (rand(2, 7, seed=4) > 0.4).double()
    assert torch.autograd.gradcheck(lambda p: color_distance(p, observed, visible), predicted)


def test_the_mean_distance_of_covered_skin():
    photo = torch.zeros(1, 4, 4, 3)
    rendered = photo.clone()
    rendered[:, :2] = torch.tensor([0.3, 0.0, 0.4])
    rendered[:, 3] = 1.0  # not covered
    covered, skin = torch.ones(1, 4, 4), torch.ones(1, 4, 4)
    covered[:, 3] = 0.0
    found = color_distance(rendered, photo, covered)
    assert found.item() == pytest.approx(0.5 * 8 / 12, abs=1e-3)
    skin[:, 2] = 0.0
    assert color_distance(rendered, photo, covered * skin).item() == pytest.approx(0.5, abs=1e-3)


def test_nothing_to_compare_costs_nothing():
    pictures = torch.rand(2, 3, 3, 3)
    assert color_distance(pictures, 1 - pictures, torch.zeros(2, 3, 3)).tolist() == [0, 0]


def test_gradients_in_colours_and_masks():
    generator = torch.Generator().manual_seed(0)
    rendered, photo = torch.rand((2, 2, 3, 3, 3), generator=generator, dtype=torch.float64)
    covered = torch.rand((2, 3, 3), generator=generator, dtype=torch.float64)
    inputs = [tensor.requires_grad_() for tensor in (rendered, photo, covered)]
    assert torch.autograd.gradcheck(color_distance, inputs)
    torch.testing.assert_close(
        torch.autograd.grad(color_distance(photo, photo, covered).sum(), photo)[0],
        torch.zeros_like(photo),
    )


def test_what_looks_like_no_skin_counts_less_and_what_is_no_photo_nothing():
    drawn = torch.full((1, 2, 2, 3), 0.5, dtype=torch.float64)
    photo = drawn.clone()
    photo[0, 0, 0, 0] += 0.3  # as far away as an outlier: counts half
    photo[0, 1] = 0.0  # beyond the photo's border
    skin = torch.ones(1, 2, 2, dtype=torch.float64)
    found = robust_color_distance(drawn, photo, skin, 0.3)
    assert found.item() == pytest.approx(0.5 * 0.3 / 1.5, abs=1e-3)
    assert robust_color_distance(drawn, 0.0 * photo, skin, 0.3).item() == 0.0


def test_robust_weights_have_no_gradient():
    drawn, photo = rand(1, 2, 2, 3, seed=1).requires_grad_(), rand(1, 2, 2, 3, seed=2)
    skin = rand(1, 2, 2, seed=3)
    robust_color_distance(drawn, photo, skin, 0.3).sum().backward()
    apart = (drawn - photo).detach().square().sum(dim=-1)
    held = drawn.detach().requires_grad_()
    color_distance(held, photo, skin / (1.0 + apart / 0.3**2)).sum().backward()
    torch.testing.assert_close(drawn.grad, held.grad)


def test_uniform_skin_costs_nothing_whatever_lies_outside():
    albedo = torch.full((1, 4, 3), 0.5)
    skin = torch.tensor([1.0, 1.0, 1.0, 0.0])
    albedo[:, 3] = 0.0
    assert albedo_uniformity(albedo, skin).item() == pytest.approx(0.0, abs=1e-7)
    albedo[:, 0] += torch.tensor([0.3, 0.0, 0.0])
    assert albedo_uniformity(albedo, skin).item() == pytest.approx(0.09 * 2 / 9)


def test_gradients_of_albedo():
    generator = torch.Generator().manual_seed(0)
    albedo = torch.rand((2, 5, 3), generator=generator, dtype=torch.float64)
    skin = torch.rand(5, generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a: albedo_uniformity(a, skin), albedo.requires_grad_())
