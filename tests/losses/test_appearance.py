import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import albedo_uniformity, light_regularizer


def test_uniform_skin_costs_nothing_whatever_lies_outside():
    albedo = torch.full((1, 4, 3), 0.5)
    skin = torch.tensor([1.0, 1.0, 1.0, 0.0])
    albedo[:, 3] = 0.0
    assert albedo_uniformity(albedo, skin).item() == pytest.approx(0.0, abs=1e-7)
    albedo[:, 0] += torch.tensor([0.3, 0.0, 0.0])
    assert albedo_uniformity(albedo, skin).item() == pytest.approx(0.09 * 2 / 9)


def test_white_light_costs_nothing_tinted_light_does():
    light = torch.rand(1, 9, 1).expand(1, 9, 3)
    assert light_regularizer(light).item() == pytest.approx(0.0, abs=1e-9)
    tinted = light + torch.tensor([0.3, 0.0, -0.3])
    assert light_regularizer(tinted).item() == pytest.approx(0.06)


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    albedo = torch.rand((2, 5, 3), generator=generator, dtype=torch.float64)
    skin = torch.rand(5, generator=generator, dtype=torch.float64)
    light = torch.randn((2, 9, 3), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda a: albedo_uniformity(a, skin), albedo.requires_grad_())
    assert torch.autograd.gradcheck(light_regularizer, light.requires_grad_())
